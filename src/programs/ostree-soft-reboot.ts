// Whether a deployment can be reached by a soft reboot: what systemd, ostree and SELinux each ask for.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Deployment } from "../host/deployment.ts";
import { parseKeyfile } from "../ostree/keyfile.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny } from "../system/files.ts";
import { readNamesIfAny } from "../system/optional-file.ts";
import { isAtLeast, readOstreeVersion } from "./ostree-version.ts";

export type SoftRebootCheck = (ctx: Context, it: Deployment) => Promise<boolean>;

/** The first ostree that can prepare a soft reboot. */
const SINCE = "2025.3";

const NEVER: SoftRebootCheck = async () => false;

/** The check against the booted deployment, or one that always says no where there is no soft reboot. */
export async function readSoftRebootCheck(
  ctx: Context,
  booted: Deployment | undefined,
): Promise<SoftRebootCheck> {
  if (booted === undefined || !(await hasSoftRebootUnit(ctx))) return NEVER;
  let asked: Promise<string> | undefined;
  return async (_ctx, it) => {
    // The kernel stays, so that it must be the same; the check is first because it costs nothing.
    if (it === booted || it.bootChecksum !== booted.bootChecksum) return false;
    asked ??= readOstreeVersion(ctx);
    const version = await asked;
    if (!isAtLeast(version, SINCE)) return false;
    const hasOptions = it.bootOptions?.includes("ostree=") === true;
    if (!isAtLeast(version, "2025.7") && !hasOptions) return false;
    return await hasSamePolicy(ctx, booted, it);
  };
}

/** This systemd and this ostree know of soft reboots at all. */
export async function offersSoftReboot(ctx: Context): Promise<boolean> {
  return (await hasSoftRebootUnit(ctx)) && isAtLeast(await readOstreeVersion(ctx), SINCE);
}

async function hasSoftRebootUnit(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, "usr/lib/systemd/system/soft-reboot.target"));
}

async function hasSamePolicy(ctx: Context, a: Deployment, b: Deployment): Promise<boolean> {
  if (!(await exists(join(ctx.root, "sys/fs/selinux/enforce")))) return true;
  const [left, right] = await Promise.all([a, b].map((it) => hashPolicy(ctx, it)));
  return left === right;
}

/** The SHA-256 of the newest binary policy in a deployment; undefined when it has none. */
async function hashPolicy(ctx: Context, it: Deployment): Promise<string | undefined> {
  const name = `${it.checksum}.${it.serial}`;
  const deployment = join(ctx.root, "sysroot/ostree/deploy", it.stateroot, "deploy", name);
  const config = await readFileIfAny(join(deployment, "etc/selinux/config"));
  const type = parseKeyfile(config ?? "").lines.find(
    (line) => line.kind === "entry" && line.key === "SELINUXTYPE",
  );
  if (type?.kind !== "entry") return undefined;
  const dir = join(deployment, "etc/selinux", type.rawValue, "policy");
  const newest = (await readNamesIfAny(dir))
    .filter((name) => /^policy\.\d+$/.test(name))
    .sort((x, y) => Number(x.slice(7)) - Number(y.slice(7)))
    .at(-1);
  if (newest === undefined) return undefined;
  return createHash("sha256")
    .update(await readFile(join(dir, newest)))
    .digest("hex");
}
