// Which policy and which credentials apply to images: the files, by the search order of the container tools.
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../format/json.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";

/**
 * The policy file in force. `CONTAINERS_POLICY_JSON` decides when set; else the user's own, the machine's
 * and the distribution's are looked for. Having none is an error, as it is for skopeo, and so is one that
 * cannot be read.
 */
export async function requirePolicyFile(ctx: Context): Promise<string> {
  const chosen = ctx.env.CONTAINERS_POLICY_JSON;
  if (chosen) {
    if (await exists(chosen)) return await requireReadable(chosen);
    throw noPolicy(`\`${chosen}\`, named by CONTAINERS_POLICY_JSON, does not exist`);
  }
  const found = await firstExisting(policyFiles(ctx));
  if (found !== undefined) return await requireReadable(found);
  throw noPolicy("there is no containers policy.json");
}

async function requireReadable(file: string): Promise<string> {
  await readPolicy(file);
  return file;
}

async function readPolicy(file: string): Promise<JsonObject> {
  const what = `the containers policy \`${file}\``;
  // At once: skopeo is started after this, and going to another thread and back takes longer.
  const text = await doing(`reading ${what}`, async () => readFileSync(file, "utf8"));
  return parsePolicy(what, text);
}

function parsePolicy(what: string, text: string): JsonObject {
  try {
    return parseJsonObject(what, text);
  } catch (cause) {
    if (!(cause instanceof BootcError)) throw cause;
    // Nobody changed it on its way: it was written so.
    throw new BootcError(cause.message, {
      kind: "policy",
      hint: "mend that file; see containers-policy.json(5)",
    });
  }
}

function policyFiles({ env, root }: Context): readonly string[] {
  const home = env.HOME ? join(env.HOME, ".config") : undefined;
  const config = env.XDG_CONFIG_HOME || home;
  return [
    ...(config ? [join(config, "containers/policy.json")] : []),
    join(root, "etc/containers/policy.json"),
    join(root, "usr/share/containers/policy.json"),
  ];
}

/** Refuses a policy whose default vouches for nothing: such an image would not be verified at all. */
export async function requireSecureDefault(policyFile: string): Promise<void> {
  if (!isInsecureDefault(await readPolicy(policyFile))) return;
  throw new BootcError(
    "containers-policy.json specifies a default of `insecureAcceptAnything`; refusing usage",
    { kind: "policy", hint: `set a stricter default in ${policyFile}` },
  );
}

/** The policy's default accepts every image. A policy without a default rejects, so it is secure. */
function isInsecureDefault(policy: JsonObject): boolean {
  const entries = policy.default;
  if (!Array.isArray(entries) || entries.length !== 1) return false;
  const [entry] = entries as readonly unknown[];
  return isObject(entry) && entry.type === "insecureAcceptAnything";
}

/**
 * The policy accepts every image of this registry, so that evaluating it would change nothing. False also
 * where that takes more than a look at the registry's name to see.
 */
export async function acceptsAllOf(policyFile: string, registry: string): Promise<boolean> {
  const { default: otherwise, transports = {}, ...unknown } = await readPolicy(policyFile);
  if (Object.keys(unknown).length > 0 || !isObject(transports)) return false;
  const { docker: scopes = {} } = transports;
  if (!isObject(scopes)) return false;
  const matching = Object.entries(scopes).filter(([scope]) => mayMatch(scope, registry));
  return [otherwise, ...matching.map(([, it]) => it)].every(isAcceptance);
}

/** `quay.io/example`, `*.example.com`, or nothing, which stands for every image. */
function mayMatch(scope: string, registry: string): boolean {
  const [host = ""] = scope.split("/", 1);
  return host === "" || host.startsWith("*") || host === registry;
}

function isAcceptance(requirements: unknown): boolean {
  if (!Array.isArray(requirements) || requirements.length === 0) return false;
  return (requirements as readonly unknown[]).every(
    (it) => isObject(it) && it.type === "insecureAcceptAnything",
  );
}

/** The credentials for ostree's images, if there are any; those of podman are not looked at. */
export async function readAuthFile({ env, root }: Context): Promise<string | undefined> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    return await firstExisting([
      join(root, "run/ostree/auth.json"),
      join(root, "etc/ostree/auth.json"),
      join(root, "usr/lib/ostree/auth.json"),
    ]);
  }
  return await firstExisting([
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "ostree/auth.json")] : []),
    ...(env.HOME ? [join(env.HOME, ".config/ostree/auth.json")] : []),
  ]);
}

interface AccessFiles {
  readonly authFile?: string | undefined;
  readonly certDir?: string | undefined;
}

/** Refuses credentials and certificates that are not there: older versions of skopeo do without, silently. */
export async function requireAccessFiles({ authFile, certDir }: AccessFiles): Promise<void> {
  if (authFile !== undefined)
    await requireUsable(`the credentials \`${authFile}\``, readFile(authFile));
  if (certDir !== undefined)
    await requireUsable(`the certificates in \`${certDir}\``, readdir(certDir));
}

async function requireUsable(what: string, reading: Promise<unknown>): Promise<void> {
  try {
    await reading;
  } catch (cause) {
    throw new BootcError(`${what} cannot be read`, { kind: "usage", cause });
  }
}

async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

function noPolicy(message: string): BootcError {
  return new BootcError(message, {
    kind: "policy",
    hint: "install the package that brings /etc/containers/policy.json",
  });
}
