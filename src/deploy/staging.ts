// Stages what boots next, and completes it: labels, and the kernel in /boot.
import { doing } from "../errors.ts";
import { type StageRequest, stageDeployment } from "../programs/ostree/admin.ts";
import { keepLoaderLink } from "../programs/ostree/loader-link.ts";
import type { Context } from "../system/context.ts";
import { labelStagedEtc } from "./label-etc.ts";
import { copyKernelEarly } from "./shutdown/early-kernel.ts";

/** Every verb that stages a deployment does it by this function. */
export async function stage(ctx: Context, request: StageRequest): Promise<void> {
  await keepLoaderLink(ctx);
  await stageDeployment(ctx, request);
  // Whatever ends this, something is staged, and the error should say so.
  await doing("completing what is staged", () => finishStaged(ctx));
}

/** Completes the staged deployment, if any; a run that was killed right after staging has not. */
export async function completeStaged(ctx: Context): Promise<void> {
  await keepLoaderLink(ctx);
  await finishStaged(ctx);
}

async function finishStaged(ctx: Context): Promise<void> {
  await labelStagedEtc(ctx);
  await copyKernelEarly(ctx);
}
