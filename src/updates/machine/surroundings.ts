// What automatic updates need of the world besides files and programs: the time, chance, and pauses.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";

export interface Surroundings {
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  pause(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The real world. */
export const REAL_SURROUNDINGS: Surroundings = {
  now: () => Date.now(),
  random: () => Math.random(),
  async pause(milliseconds, signal) {
    await sleep(milliseconds, undefined, { signal });
  },
};

/** The machine id; empty on a machine that has none yet, which all such machines share. */
export async function readMachineId(ctx: Context): Promise<string> {
  const text = await readFile(join(ctx.root, "etc/machine-id"), "utf8").catch(ifMissing(""));
  const id = text.trim();
  return /^[0-9a-f]{32}$/.test(id) ? id : "";
}
