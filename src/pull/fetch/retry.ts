// Trying again after a failure that may pass by itself, later each time.
import type { Context } from "../../system/context.ts";
import { pause } from "../../system/pause.ts";

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
