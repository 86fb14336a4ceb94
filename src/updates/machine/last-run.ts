// How long the last run took, and what it cost. Kept in /run: it is of interest until the next run.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../../errors.ts";
import { malformed, parseJsonObject } from "../../format/json.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";
import type { LastRun } from "../metrics.ts";

/** Apart from the state, which would have to be locked and flushed once more for it. */
const FILE = "run/bootc/updates-last-run.json";

/** Only for those who hold the lock of runs. A failure is only noted. */
export function rememberRun(
  ctx: Context,
  { startedMs, endedMs }: { readonly startedMs: number; readonly endedMs: number },
): void {
  const path = join(ctx.root, FILE);
  try {
    // The clock may have been set meanwhile.
    const tookMs = Math.max(0, endedMs - startedMs);
    const run: LastRun = { endedMs, tookMs, cpuMs: readCpuMs(ctx) };
    writeFileSync(`${path}.tmp`, JSON.stringify(run), { mode: 0o644 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    ctx.note(`note: \`/${FILE}\` cannot be written: ${describeError(error).message}`);
  }
}

/** Undefined if nothing has run since the boot. */
export function readLastRun(ctx: Context): LastRun | undefined {
  const text = readTextIfAny(join(ctx.root, FILE));
  return text === undefined ? undefined : parseLastRun(text);
}

export function parseLastRun(text: string): LastRun {
  const what = "the record of the last run";
  const document = parseJsonObject(what, text);
  const timeOf = (name: keyof LastRun) => {
    const value = document[name];
    if (typeof value === "number" && value >= 0) return value;
    throw malformed(what, `${name} is not a time`);
  };
  return { endedMs: timeOf("endedMs"), tookMs: timeOf("tookMs"), cpuMs: timeOf("cpuMs") };
}

/** The time that this process and the programs that it has waited for were running. */
function readCpuMs(ctx: Context): number {
  return parseCpuMs(readTextIfAny(join(ctx.root, "proc/self/stat")) ?? "");
}

/** On every architecture of Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** `text`: /proc/PID/stat, proc_pid_stat(5): utime, stime, cutime and cstime. */
export function parseCpuMs(text: string): number {
  // The name of the program, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 1).split(" ");
  const ticks = fields.slice(12, 16).reduce((sum, it) => sum + Number(it), 0);
  return (ticks * 1000) / TICKS_PER_SECOND;
}

/** Synchronously: waiting for another thread takes longer than such a file. */
function readTextIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return ifMissing(undefined)(error);
  }
}
