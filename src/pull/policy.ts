// Has a policy vouch for an image that is stored already: skopeo evaluates it.
import type { OnPullEvent } from "../progress/progress.ts";
import { deletePrivateRefs } from "../repository/clean/cleanup.ts";
import type { StoredImage } from "../repository/images.ts";
import type { Context } from "../system/context.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { type JudgeAgainPlan, planFetch } from "./plan/plan.ts";

export interface Judgement<T> {
  readonly onEvent?: OnPullEvent;
  /** The policy accepts the stored image. */
  readonly keep: (stored: StoredImage) => Promise<T>;
  /** The tag has moved meanwhile, and the policy accepts the image it names now. */
  readonly store: (image: ImportedImage) => Promise<T>;
}

/**
 * skopeo evaluates the policy when it copies and at no other time, so a stored image is copied once more,
 * without its layers.
 */
export async function judgeAgain<T>(
  ctx: Context,
  plan: JudgeAgainPlan,
  { onEvent, keep, store }: Judgement<T>,
): Promise<T> {
  const { stored, offered, request } = plan;
  const copy = await planFetch(plan, offered);
  return await withLayers(ctx, copy, { onEvent, isStored: true }, async (image) => {
    const { config } = image.plan.offered.manifest;
    if (config.digest !== stored.manifest.config.digest) return await store(image);
    await deletePrivateRefs(request.repo, image.plan.layers);
    return await keep(stored);
  });
}
