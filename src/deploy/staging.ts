// Stages what boots next, and labels it: now, and again after ostree has finalized it at shutdown.
import { join } from "node:path";
import { type StageRequest, stageDeployment } from "../programs/ostree/admin.ts";
import { deploymentDir, namedDeploymentDir } from "../sysroot/paths.ts";
import { readStagedDeployment } from "../sysroot/staged.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { labelEtc } from "./selinux-labels.ts";

/** Stages a deployment and completes it. */
export async function stage(ctx: Context, request: StageRequest): Promise<void> {
  await stageDeployment(ctx, request);
  await completeStaged(ctx);
}

/** Does what a run that was killed right after staging left undone. */
export async function completeStaged(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  if (staged === undefined) return;
  await labelEtc(ctx, namedDeploymentDir(join(ctx.root, "sysroot"), staged));
}

/**
 * Labels the `/etc` of the deployment that boots next, after ostree has added this machine's own changes.
 * The next boot may enforce a policy before anything of ours runs.
 */
export async function completeFinalized(ctx: Context): Promise<void> {
  const [next] = (await readSysroot(ctx)).deployments;
  // A deployment that is still staged was locked, and is lost.
  if (next === undefined || next.isBooted || next.isStaged) return;
  await labelEtc(ctx, deploymentDir(ctx, next));
}
