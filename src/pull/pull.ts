// Pulling an image: plan, fetch, import, merge, commit. One writer of a repository at a time.
import { removeLeftovers } from "../repository/clean/leftovers.ts";
import { listDeploymentRefs, readRef } from "../repository/files.ts";
import type { Context } from "../system/context.ts";
import { asWriter } from "./lock.ts";
import { type PullPlan, planAgain, type UnchangedPlan } from "./plan/plan.ts";
import { type PulledImage, type PullOptions, unchangedImage } from "./request.ts";
import { requireVouched } from "./vouched.ts";

/**
 * Carries out a plan (of `planPull`): afterwards the repository holds the image whole, under its ref.
 * An unchanged plan returns at once, unless a policy has to vouch for it. Waits for another writer, then
 * fails as `busy`. Interrupted or failed, it leaves layers that are complete, and the next run carries on.
 */
export async function pullImage(
  ctx: Context,
  planned: PullPlan,
  options: PullOptions = {},
): Promise<PulledImage> {
  if (planned.kind !== "fetch") {
    await requireVouched(ctx, planned);
    if (planned.hasLeftovers) await removeLeftovers(ctx, planned.request.repo, planned);
  }
  if (planned.kind === "unchanged" && (await isSafe(planned, options))) {
    return unchangedImage(planned.stored);
  }
  // Loaded here because a look that finds nothing new needs none of it.
  const { carryOut } = await import("./carry-out.ts");
  return await asWriter(ctx, planned, options, async () =>
    carryOut(ctx, await planAgain(planned), options),
  );
}

/** The image needs no protection: none was asked for, or it is deployed. */
async function isSafe(
  { request: { repo }, stored }: UnchangedPlan,
  { protection }: PullOptions,
): Promise<boolean> {
  if (protection === undefined) return true;
  const refs = await listDeploymentRefs(repo);
  return (await Promise.all(refs.map((it) => readRef(repo, it)))).includes(stored.commit);
}
