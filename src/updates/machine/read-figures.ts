// Reads what only figures need of the machine. Whatever cannot be read is noted, and no error.
import { explainError } from "../../errors.ts";
import { readStagedMs } from "../../sysroot/staged.ts";
import type { Context } from "../../system/context.ts";
import type { MachineFigures } from "../metrics.ts";
import { readLastRun } from "./last-run.ts";
import { countDamagedFiles } from "./state-file.ts";

export async function readFigures(ctx: Context): Promise<MachineFigures> {
  const attempt = async <T>(work: () => T | Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      ctx.note(`note: a figure is missing: ${explainError(error)}`);
      return otherwise;
    }
  };
  return {
    stagedMs: await attempt(() => readStagedMs(ctx), undefined),
    lastRun: await attempt(() => readLastRun(ctx), undefined),
    damagedFiles: await attempt(() => countDamagedFiles(ctx), 0),
  };
}
