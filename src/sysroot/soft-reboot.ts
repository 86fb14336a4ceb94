// Whether a deployment can be reached by a soft reboot: what systemd, ostree and SELinux each ask for.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Deployment } from "../host/deployment.ts";
import { formatKargs, parseKargs, removeKey } from "../host/kargs.ts";
import { parseKeyfile } from "../ostree/keyfile.ts";
import { isAtLeast, readOstree } from "../programs/ostree/version.ts";
import type { Context } from "../system/context.ts";
import { openDirectory } from "../system/file-tree.ts";
import { exists, readFileIfAny, readNamesIfAny } from "../system/files.ts";
import { deploymentDir } from "./paths.ts";
import { isComposefsCertain, parseComposefs, readPrepareRoot } from "./prepare-root.ts";

/** The first ostree that can prepare a soft reboot. */
const SINCE = "2025.3";

/** What stands in the way of a soft reboot into a deployment; undefined when nothing does. */
export type SoftRebootCheck = (it: Deployment) => Promise<string | undefined>;

/** The check against the booted deployment. What costs a process comes last. */
export function makeSoftRebootCheck(ctx: Context, booted: Deployment | undefined): SoftRebootCheck {
  return async (it) => {
    if (booted === undefined) return "it is not known what runs";
    const difference = compareKernels(booted, it);
    if (difference !== undefined) return difference;
    if (!(await usesComposefs(ctx, it))) return "it does not run from composefs";
    const lack = await findSystemLack(ctx);
    if (lack !== undefined) return lack;
    const { version } = await readOstree(ctx);
    if (!isAtLeast(version, SINCE)) return describeOldOstree(version);
    // These versions abort on such a deployment.
    const hasOptions = it.bootOptions?.includes("ostree=") === true;
    if (!isAtLeast(version, "2025.7") && !hasOptions) {
      return `its kernel arguments are not known, which ostree ${version} asks for`;
    }
    return (await hasSamePolicy(ctx, booted, it)) ? undefined : "its SELinux policy is another";
  };
}

/** Why this host has no soft reboots at all, whatever the deployment; undefined when it has. */
export async function findSoftRebootLack(ctx: Context): Promise<string | undefined> {
  const lack = await findSystemLack(ctx);
  if (lack !== undefined) return lack;
  const { version } = await readOstree(ctx);
  return isAtLeast(version, SINCE) ? undefined : describeOldOstree(version);
}

async function findSystemLack(ctx: Context): Promise<string | undefined> {
  const unit = join(ctx.root, "usr/lib/systemd/system/soft-reboot.target");
  return (await exists(unit)) ? undefined : "systemd is older than 254";
}

function describeOldOstree(version: string): string {
  return `ostree ${version} is older than ${SINCE}`;
}

/** The kernel stays, with what it was started with; ostree compares both, the order of arguments included. */
function compareKernels(booted: Deployment, it: Deployment): string | undefined {
  if (it === booted) return "it is what runs";
  if (it.bootChecksum !== booted.bootChecksum) return "its kernel or initramfs is another";
  // Without arguments of its own, what is staged is given those of the booted deployment.
  if (it.bootOptions === undefined) return undefined;
  const [left, right] = [booted, it].map(({ bootOptions }) =>
    formatKargs(removeKey(parseKargs(bootOptions ?? ""), "ostree")),
  );
  return left === right ? undefined : "its kernel arguments are others";
}

const COMPOSEFS_KARG = /(?:^|\s)ostree\.prepare-root\.composefs=(\S*)/;
/** ostree makes the next root from a composefs image alone; the deployment's own settings say whether to. */
async function usesComposefs(ctx: Context, it: Deployment): Promise<boolean> {
  const commandLine = await readFileIfAny(join(ctx.root, "proc/cmdline"));
  const karg = COMPOSEFS_KARG.exec(commandLine ?? "")?.[1];
  if (karg !== undefined) return isComposefsCertain(parseComposefs(karg));
  const prepareRoot = await readPrepareRoot(openDirectory(deploymentDir(ctx, it)));
  return prepareRoot !== undefined && isComposefsCertain(prepareRoot.composefs);
}

async function hasSamePolicy(ctx: Context, a: Deployment, b: Deployment): Promise<boolean> {
  if (!(await exists(join(ctx.root, "sys/fs/selinux/enforce")))) return true;
  const [left, right] = await Promise.all([a, b].map((it) => hashPolicy(ctx, it)));
  return left === right;
}

/** The SHA-256 of the newest binary policy in a deployment; undefined when it has none. */
async function hashPolicy(ctx: Context, it: Deployment): Promise<string | undefined> {
  // What is staged may get its /etc only when it is put in place.
  const tops = ["etc", "usr/etc"].map((etc) => join(deploymentDir(ctx, it), etc, "selinux"));
  for (const top of tops) {
    const config = await readFileIfAny(join(top, "config"));
    if (config !== undefined) return await hashPolicyBelow(top, config);
  }
  return undefined;
}

async function hashPolicyBelow(top: string, config: string): Promise<string | undefined> {
  const type = parseKeyfile(config).lines.find(
    (line) => line.kind === "entry" && line.key === "SELINUXTYPE",
  );
  if (type?.kind !== "entry") return undefined;
  const dir = join(top, type.rawValue, "policy");
  const newest = (await readNamesIfAny(dir))
    .filter((name) => /^policy\.\d+$/.test(name))
    .sort((x, y) => Number(x.slice(7)) - Number(y.slice(7)))
    .at(-1);
  if (newest === undefined) return undefined;
  return createHash("sha256")
    .update(await readFile(join(dir, newest)))
    .digest("hex");
}
