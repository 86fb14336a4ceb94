// The FleetLock protocol: asks a server for a slot before a reboot, and gives it back after a good boot.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, kindOf } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import type { Settings } from "../config/settings.ts";
import { nodeIdOf } from "../share.ts";
import type { FleetRequest } from "../state.ts";
import { askServer, basicAuthorization, type ServerAnswer } from "./server.ts";
import type { Surroundings } from "./surroundings.ts";

export interface FleetMember {
  readonly settings: Settings;
  readonly machineId: string;
  readonly surroundings: Pick<Surroundings, "random" | "pause">;
}

/** A no of the server, by the protocol or by a status alone. */
export interface Refusal {
  readonly kind: "refused" | "unexpected";
  readonly reason: string;
}

/** Undefined: this machine has a slot now. Otherwise why not. */
export async function takeSlot(ctx: Context, member: FleetMember): Promise<Refusal | undefined> {
  return readRefusal(await ask(ctx, member, "pre-reboot"));
}

/** Undefined: this machine has no slot any more. Otherwise why it still has one. */
export async function returnSlot(ctx: Context, member: FleetMember): Promise<Refusal | undefined> {
  return readRefusal(await ask(ctx, member, "steady-state"));
}

const TRIES = 4;
const FIRST_PAUSE_MS = 2000;

/**
 * The same question may be asked again: for a machine that has a slot, or none any more, the answer is yes.
 * Between tries the pauses grow, and differ from machine to machine.
 */
async function ask(
  ctx: Context,
  member: FleetMember,
  request: FleetRequest,
): Promise<ServerAnswer> {
  const { surroundings } = member;
  const how = await readRequest(ctx, member, request);
  for (let tries = 1; ; tries += 1) {
    const isLast = tries === TRIES;
    try {
      const answer = await askServer(how);
      // 5xx is an answer of the protocol, too, but only a broken server gives it without a body.
      const isPassing = answer.status >= 500 && parseRefusal(answer.body) === undefined;
      if (!isPassing || isLast) return answer;
    } catch (error) {
      if (isLast || kindOf(error) !== "network") throw error;
    }
    const most = FIRST_PAUSE_MS * 2 ** (tries - 1);
    await surroundings.pause(most / 2 + surroundings.random() * (most / 2), ctx.signal);
  }
}

async function readRequest(ctx: Context, member: FleetMember, request: FleetRequest) {
  const { settings, machineId } = member;
  const base = settings["updates.fleet_lock.base_url"];
  if (base === undefined) throw new Error("unreachable: FleetLock without a server");
  const params = {
    id: settings["identity.node_id"] ?? nodeIdOf(machineId),
    group: settings["identity.group"],
  };
  return {
    url: `${base.replace(/\/+$/, "")}/v1/${request}`,
    body: JSON.stringify({ client_params: params }),
    headers: {
      "content-type": "application/json",
      "fleet-lock-protocol": "true",
      ...(await readAuthorization(ctx, settings)),
    },
    ca: await readAuthorities(ctx, settings),
    timeoutMs: settings["updates.fleet_lock.timeout_seconds"] * 1000,
    env: ctx.env,
    signal: ctx.signal,
  };
}

async function readAuthorization(ctx: Context, settings: Settings) {
  const user = settings["updates.fleet_lock.user"];
  const file = settings["updates.fleet_lock.password_file"];
  if (user === undefined || file === undefined) return {};
  const password = await readFile(join(ctx.root, file), "utf8");
  return { authorization: basicAuthorization(user, password.replace(/\r?\n$/, "")) };
}

/** Bundles of certificates, as Fedora and Debian have them. */
const BUNDLES = ["etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/certs/ca-certificates.crt"];

async function readAuthorities(ctx: Context, settings: Settings): Promise<string | undefined> {
  const own = settings["updates.fleet_lock.ca_file"];
  if (own !== undefined) return await readFile(join(ctx.root, own), "utf8");
  for (const path of BUNDLES) {
    const bundle = await readFileIfAny(join(ctx.root, path));
    if (bundle !== undefined) return bundle;
  }
  return undefined;
}

/** Undefined for yes. The server's reason has the form `{kind, value}`. */
function readRefusal({ status, body }: ServerAnswer): Refusal | undefined {
  if (status >= 200 && status < 300) return undefined;
  const refusal = parseRefusal(body);
  if (refusal !== undefined) {
    return { kind: "refused", reason: `the server says: ${refusal.value} (${refusal.kind})` };
  }
  if (status === 404) {
    throw new BootcError("the FleetLock server does not know the protocol's addresses", {
      hint: "check `updates.fleet_lock.base_url`: the path before `/v1/` belongs to it",
    });
  }
  if (status === 401 || status === 403) {
    throw new BootcError(`the FleetLock server refuses the credentials with status ${status}`, {
      kind: "authentication",
    });
  }
  return { kind: "unexpected", reason: `the server answers with status ${status}` };
}

function parseRefusal(body: string): { readonly kind: string; readonly value: string } | undefined {
  const found = parseLenient(body);
  const { kind, value } = Object(found) as Record<string, unknown>;
  return typeof kind === "string" && typeof value === "string" ? { kind, value } : undefined;
}

function parseLenient(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // a page of a proxy, or nothing
  }
}
