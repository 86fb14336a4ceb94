// A clock that does not wait: a pause advances the time at once and is recorded.
import type { Clock } from "../xtask/remote/clock.ts";

export interface TestClock extends Clock {
  /** Every pause asked for, in milliseconds. */
  readonly pauses: number[];
}

export function createTestClock(startMs = Date.UTC(2026, 10, 23)): TestClock {
  let nowMs = startMs;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => nowMs,
    random: () => 0.5,
    async pause(milliseconds, signal) {
      signal.throwIfAborted();
      pauses.push(milliseconds);
      nowMs += milliseconds;
      await new Promise((done) => setImmediate(done));
      signal.throwIfAborted();
    },
  };
}
