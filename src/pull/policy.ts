// Who has to vouch for an image: the keys of an ostree remote, or a policy that skopeo evaluates.
import { requireSigned } from "../programs/ostree/verify.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import { deletePrivateRefs } from "../repository/cleanup.ts";
import type { StoredImage } from "../repository/images.ts";
import type { Context } from "../system/context.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { baseCommitOf, type JudgeAgainPlan, type PullPlan, planFetch } from "./plan/plan.ts";

/** If an ostree remote has to vouch for the image, its keys must have signed the commit in it. */
export async function requireVouched(
  ctx: Context,
  plan: PullPlan,
  imported: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const { repo, reference } = plan.request;
  if (reference.verification.kind !== "remote") return;
  const commit = baseCommitOf(plan, imported);
  if (commit === undefined) throw new Error("unreachable: the plan has no commit to vouch for");
  await requireSigned(ctx, { repo, commit, remote: reference.verification.remote });
}

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
