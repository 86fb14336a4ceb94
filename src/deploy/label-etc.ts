// Labels the `/etc` of deployments for SELinux: after an installation, after staging, and at shutdown.
import { join } from "node:path";
import { findUnlabelled } from "../programs/selinux.ts";
import { deploymentDir, namedDeploymentDir } from "../sysroot/paths.ts";
import { readMergeSource, readStagedDeployment } from "../sysroot/staged.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { exists, readFileIfAny, readNamesIfAny } from "../system/files.ts";
import { labelFiles, listTree } from "./label-files.ts";

/** Labels the staged deployment, if any. */
export async function labelStagedEtc(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) return;
  await labelEtc(ctx, namedDeploymentDir(join(ctx.root, "sysroot"), staged));
}

/**
 * At shutdown, before ostree finalizes the staged deployment: labels what it may copy from the `/etc` of this
 * machine, by the staged deployment's policy. Copies get the labels of their originals, so they have them
 * when ostree makes the deployment the default.
 */
export async function labelMergedEtc(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  const source = await readMergeSource(ctx);
  if (staged === undefined || staged.isLocked || source === undefined) return;
  const [policyRoot, from] = [staged, source].map((it) =>
    namedDeploymentDir(join(ctx.root, "sysroot"), it),
  ) as [string, string];
  // The staged deployment has them only after the merge, and labels that are set stay.
  if (await hasOwnRules(from)) return;
  await labelEtc(ctx, from, policyRoot);
}

/** Whether `semanage fcontext`, or a module of policy, has changed the rules that came with the image. */
async function hasOwnRules(deployment: string): Promise<boolean> {
  for (const type of await readNamesIfAny(join(deployment, "etc/selinux"))) {
    for (const name of ["file_contexts", "file_contexts.local"]) {
      const path = join("selinux", type, "contexts/files", name);
      const [own, shipped] = await Promise.all(
        ["etc", "usr/etc"].map((top) => readFileIfAny(join(deployment, top, path))),
      );
      if (own !== shipped) return true;
    }
  }
  return false;
}

/**
 * At shutdown: labels the deployment that boots next, after ostree has finalized it: what the image's
 * `semodule` wrote there, and what could not be labelled before.
 */
export async function labelFinalizedEtc(ctx: Context): Promise<void> {
  const [next] = (await readSysroot(ctx)).deployments;
  // A deployment that is still staged was locked, and is lost.
  if (next === undefined || next.isBooted || next.isStaged) return;
  await labelEtc(ctx, deploymentDir(ctx, next));
}

/**
 * Labels everything without a label in the `/etc` of a deployment, by its own policy or that of the one at
 * `policyRoot`: where SELinux is off, older versions of ostree do not label directories and symbolic
 * links. Labels stay.
 */
export async function labelEtc(
  ctx: Context,
  deployment: string,
  policyRoot = deployment,
): Promise<void> {
  if (!(await exists(join(policyRoot, "etc/selinux/config")))) return;
  const files = await listTree({ top: join(deployment, "etc"), path: "etc" });
  const unlabelled = await findUnlabelled(
    ctx,
    files.map((it) => it.file),
  );
  const left = files.filter((it) => unlabelled.has(it.file));
  if (left.length > 0) await labelFiles(ctx, policyRoot, left);
}
