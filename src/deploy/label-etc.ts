// Labels the `/etc` of deployments for SELinux: after an installation, after staging, and at shutdown.
import { join } from "node:path";
import { findUnlabelled } from "../programs/selinux.ts";
import { deploymentDir, namedDeploymentDir } from "../sysroot/paths.ts";
import { readStagedDeployment } from "../sysroot/staged.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { labelFiles, listTree } from "./label-files.ts";

/** Labels the staged deployment, if any. */
export async function labelStagedEtc(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) return;
  await labelEtc(ctx, namedDeploymentDir(join(ctx.root, "sysroot"), staged));
}

/**
 * At shutdown: labels the deployment that boots next, after ostree has finalized it, which adds this
 * machine's own changes. The next boot may enforce a policy before anything of ours runs.
 */
export async function labelFinalizedEtc(ctx: Context): Promise<void> {
  const [next] = (await readSysroot(ctx)).deployments;
  // A deployment that is still staged was locked, and is lost.
  if (next === undefined || next.isBooted || next.isStaged) return;
  await labelEtc(ctx, deploymentDir(ctx, next));
}

/**
 * Labels everything without a label in the `/etc` of a deployment by the deployment's own policy: where
 * SELinux is off, older versions of ostree do not label directories and symbolic links. Labels stay.
 */
export async function labelEtc(ctx: Context, deployment: string): Promise<void> {
  if (!(await exists(join(deployment, "etc/selinux/config")))) return;
  const files = await listTree({ top: join(deployment, "etc"), path: "etc" });
  const unlabelled = await findUnlabelled(
    ctx,
    files.map((it) => it.file),
  );
  const left = files.filter((it) => unlabelled.has(it.file));
  if (left.length > 0) await labelFiles(ctx, deployment, left);
}
