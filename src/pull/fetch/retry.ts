// Trying again after a failure that may pass by itself, later each time.
import { setTimeout } from "node:timers/promises";
import type { Context } from "../../system/context.ts";

/** How long to wait before the next attempt, after `failures` failures in a row (at least one). */
export function backoffMs(failures: number): number {
  return Math.min(500 * 2 ** (failures - 1), 30_000);
}

export interface RetryOptions {
  readonly attemptsMax: number;
  readonly isTransient: (error: unknown) => boolean;
}

/** The result of `work`, tried again while it fails in a way that may pass. */
export async function retrying<T>(
  ctx: Context,
  options: RetryOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (failures >= options.attemptsMax || !options.isTransient(error)) throw error;
    }
    await pause(ctx, backoffMs(failures));
  }
}

/** Waits, unless the context's signal ends that. */
export async function pause(ctx: Context, durationMs: number): Promise<void> {
  // The error that ended the wait is the signal's own reason, not that of the timer.
  await setTimeout(durationMs, undefined, { signal: ctx.signal }).catch((error: unknown) => {
    ctx.signal.throwIfAborted();
    throw error;
  });
}
