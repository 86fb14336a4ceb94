// The time, and pauses that end early when the work is interrupted. Tests replace it and need not wait.
import { setTimeout as pauseFor } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  pause(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** A random number from 0 up to 1, which spreads the requests of many clients. */
  random(): number;
}

export const realClock: Clock = {
  now: () => Date.now(),
  async pause(milliseconds, signal) {
    try {
      await pauseFor(milliseconds, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
  random: () => Math.random(),
};
