// The repository's lock, as a pull takes it: one writer at a time.
import { doing } from "../errors.ts";
import { formatImageReference } from "../image/reference.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import { withRepositoryLock } from "../repository/lock.ts";
import type { Context } from "../system/context.ts";
import type { PullTarget } from "./plan/plan.ts";

/** Runs `work` under the lock. Names another holder by an event, or without `onEvent` on standard error. */
export async function asWriter<T>(
  ctx: Context,
  { request, image }: PullTarget,
  { onEvent }: { readonly onEvent?: OnPullEvent | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const purpose = `pulling ${formatImageReference(image)}`;
  return await withRepositoryLock(ctx, request.repo, {
    options: {
      purpose,
      timeoutMs: request.lockTimeoutMs,
      ...(onEvent && { onWait: (holder: string) => onEvent({ type: "waiting", holder }) }),
    },
    work: () => doing(purpose, work),
  });
}
