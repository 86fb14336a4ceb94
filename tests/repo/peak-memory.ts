// How much memory a program takes at most.
import { readFileSync } from "node:fs";
import { errnoOf } from "../../src/errors.ts";
import type { Ended, Running } from "./program.ts";

export interface Measured {
  readonly ended: Ended;
  readonly peakKib: number;
}

/** Waits until the program ends. The kernel records the peak of this process alone. */
export async function endWithPeak(running: Running): Promise<Measured> {
  // The peak only grows, so the last reading counts.
  let peakKib = 0;
  const looking = setInterval(() => {
    peakKib = Math.max(peakKib, readPeakKib(running.pid));
  }, 20);
  const ended = await running.ended;
  clearInterval(looking);
  return { ended, peakKib };
}

/** 0 when the process has ended. */
function readPeakKib(pid: number): number {
  try {
    return Number(
      /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0,
    );
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(errnoOf(error) ?? "")) return 0;
    throw error;
  }
}
