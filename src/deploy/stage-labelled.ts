// Stages what boots next, and labels it.
import { type StageRequest, stageDeployment } from "../programs/ostree/admin.ts";
import type { Context } from "../system/context.ts";
import { labelStagedEtc } from "./label-etc.ts";

/** Every verb that stages a deployment does it by this function. */
export async function stageLabelled(ctx: Context, request: StageRequest): Promise<void> {
  await stageDeployment(ctx, request);
  await labelStagedEtc(ctx);
}
