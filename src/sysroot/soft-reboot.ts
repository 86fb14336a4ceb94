// Reads what the decision about soft reboots asks: systemd, ostree, composefs and SELinux policies.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Deployment } from "../host/deployment.ts";
import type { SoftRebootFacts } from "../host/soft-reboot.ts";
import { parseKeyfile } from "../ostree/keyfile.ts";
import { isAtLeast, readOstree } from "../programs/ostree/version.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny, readNamesIfAny } from "../system/files.ts";
import { openDirectory } from "../system/root/file-tree.ts";
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
  if (!(await exists(join(ctx.root, "sys/fs/selinux/enforce")))) return true;
  const [left, right] = await Promise.all([a, b].map((it) => hashPolicy(ctx, it)));
  return left === right;
}

/** The SHA-256 of the newest binary policy in a deployment; undefined when it has none. */
async function hashPolicy(ctx: Context, deployment: Deployment): Promise<string | undefined> {
  // A staged deployment may get its /etc only when it is finalized.
  const tops = ["etc", "usr/etc"].map((etc) =>
    join(deploymentDir(ctx, deployment), etc, "selinux"),
  );
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
