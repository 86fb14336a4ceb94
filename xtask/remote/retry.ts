// Patience with a server: tries work again after a failure, and repeats a question until it is answered.
import { messageOf } from "../../src/errors.ts";
import type { Clock } from "./clock.ts";

/** What pauses are made with; a connection has all of it. */
export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

export interface RetryPlan {
  readonly triesMax: number;
  /** The pause after so many failures in a row, at least one. None is made for 0. */
  readonly pauseMs: (failures: number) => number;
  /** Whether another try could succeed and does no harm. */
  readonly mayRetry: (error: unknown) => boolean;
  /** What is noted about a failure that is not the last. */
  readonly describe: (message: string) => string;
}

/** The result of `work`, which is told the number of the try. An interruption ends it at once. */
export async function tryRepeatedly<T>(
  { clock, signal, note }: Patience,
  plan: RetryPlan,
  work: (tried: number) => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work(tried);
    } catch (error) {
      signal.throwIfAborted();
      if (tried >= plan.triesMax || !plan.mayRetry(error)) throw error;
      note(plan.describe(messageOf(error)));
    }
    const pauseMs = plan.pauseMs(tried);
    if (pauseMs > 0) await clock.pause(pauseMs, signal);
  }
}

export interface PollPlan {
  readonly intervalMs: number;
  /** No question is asked once this much time has passed since the first. */
  readonly timeLimitMs: number;
}

/** The first answer of `ask`; undefined when it had none in time. */
export async function pollUntil<T>(
  { clock, signal }: Pick<Patience, "clock" | "signal">,
  { intervalMs, timeLimitMs }: PollPlan,
  ask: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const startedMs = clock.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || clock.now() - startedMs >= timeLimitMs) return answer;
    await clock.pause(intervalMs, signal);
  }
}
