// A wait that Ctrl-C and SIGTERM end.
import { setTimeout } from "node:timers/promises";
import type { Context } from "./context.ts";

/** Waits, unless the context's signal ends that. */
export async function pause(
  { signal }: Pick<Context, "signal">,
  durationMs: number,
): Promise<void> {
  // The error that ended the wait is the signal's own reason, not that of the timer.
  await setTimeout(durationMs, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
}
