// Pulling an image: plan, fetch, import, merge, commit. One writer of a repository at a time.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import type { PullPlan } from "./plan.ts";
import type { PulledImage } from "./request.ts";

/**
 * Carries out a plan (of `planPull`): afterwards the repository holds the image whole, under its ref.
 * An unchanged plan returns at once. Waits for another writer, then fails as `busy`.
 * Interrupted or failed, it leaves layers that are complete, and the next run carries on.
 * Until `releasePending` (or the next pull) the new commit is safe from clean-ups of other programs.
 */
export async function pullImage(_ctx: Context, _plan: PullPlan): Promise<PulledImage> {
  throw new BootcError("images cannot be pulled yet");
}
