// Reads what the decision about soft reboots asks: systemd, ostree, composefs and SELinux policies.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Deployment } from "../host/deployment.ts";
import type { SoftRebootFacts } from "../host/soft-reboot.ts";
import { isAtLeast, readOstree } from "../programs/ostree/version.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny, readNamesIfAny } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";
import { openDirectory } from "../system/root/file-tree.ts";
import { findPolicy } from "../system/selinux-policy.ts";
import { deploymentDir } from "./paths.ts";
import { isComposefsCertain, parseComposefs, readPrepareRoot } from "./prepare-root.ts";

/** Everything is read when it is asked. */
export function softRebootFacts(ctx: Context): SoftRebootFacts {
  return {
    hasTarget: () => exists(join(ctx.root, "usr/lib/systemd/system/soft-reboot.target")),
    ostree: async () => {
      const { version } = await readOstree(ctx);
      return { version, isAtLeast: (wanted) => isAtLeast(version, wanted) };
    },
    usesComposefs: (deployment) => usesComposefs(ctx, deployment),
    hasSamePolicy: (booted, target) => hasSamePolicy(ctx, booted, target),
  };
}

const COMPOSEFS_KARG = /(?:^|\s)ostree\.prepare-root\.composefs=(\S*)/;

/** The kernel's command line, or else the deployment's own settings. */
async function usesComposefs(ctx: Context, deployment: Deployment): Promise<boolean> {
  const commandLine = await readFileIfAny(join(ctx.root, "proc/cmdline"));
  const karg = COMPOSEFS_KARG.exec(commandLine ?? "")?.[1];
  if (karg !== undefined) return isComposefsCertain(parseComposefs(karg));
  const prepareRoot = await readPrepareRoot(openDirectory(deploymentDir(ctx, deployment)));
  return prepareRoot !== undefined && isComposefsCertain(prepareRoot.composefs);
}

async function hasSamePolicy(ctx: Context, a: Deployment, b: Deployment): Promise<boolean> {
  if (!(await isSelinuxOn(ctx))) return true;
  const [left, right] = await Promise.all([a, b].map((it) => hashPolicy(ctx, it)));
  return left === right;
}

/**
 * The SHA-256 of the newest binary policy in a deployment; undefined when it enables none. A staged
 * deployment may get its /etc only when it is finalized, and until then has its policy in /usr/etc.
 */
async function hashPolicy(ctx: Context, deployment: Deployment): Promise<string | undefined> {
  const policy = await findPolicy(deploymentDir(ctx, deployment));
  if (policy === undefined) return undefined;
  const dir = join(policy, "policy");
  const newest = (await readNamesIfAny(dir))
    .filter((name) => /^policy\.\d+$/.test(name))
    .sort((x, y) => Number(x.slice(7)) - Number(y.slice(7)))
    .at(-1);
  if (newest === undefined) return undefined;
  return createHash("sha256")
    .update(await readFile(join(dir, newest)))
    .digest("hex");
}
