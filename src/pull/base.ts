// Pulls the ostree commit out of an image that holds nothing else. The image itself is not stored.
import { createRef } from "../programs/ostree/repo.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import { deletePrivateRefs } from "../repository/clean/cleanup.ts";
import type { Context } from "../system/context.ts";
import { type ImportedImage, withLayers } from "./layers.ts";
import { asWriter } from "./lock.ts";
import { baseCommitOf, type PullPlan, planFetch } from "./plan/plan.ts";
import { requireVouched } from "./vouched.ts";

export interface BaseOptions {
  /** The ref to move to the commit. Without it the commit is garbage for the next prune. */
  readonly ref: string | undefined;
  readonly onEvent?: OnPullEvent;
}

/** Fetches an image that is nothing but an encapsulated ostree commit, and gives that commit. */
export async function pullBase(
  ctx: Context,
  plan: PullPlan,
  { ref, onEvent }: BaseOptions,
): Promise<string> {
  const isStored = plan.kind !== "fetch";
  return await asWriter(ctx, plan, { onEvent }, async () =>
    withLayers(ctx, await planFetch(plan, plan.offered), { onEvent, isStored }, (image) =>
      keepBase(ctx, image, ref),
    ),
  );
}

async function keepBase(
  ctx: Context,
  { plan, imported }: ImportedImage,
  ref: string | undefined,
): Promise<string> {
  const { repo } = plan.request;
  await requireVouched(ctx, plan, imported.commits);
  const base = baseCommitOf(plan, imported.commits);
  if (base === undefined) throw new Error("unreachable: an image without a commit layer");
  if (ref !== undefined) await createRef(ctx, repo, { ref, commit: base });
  await deletePrivateRefs(repo, plan.layers);
  return base;
}
