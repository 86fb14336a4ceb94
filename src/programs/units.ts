// systemd's units: how they stand, which have failed, and what they last wrote to the journal.
import type { Context } from "../system/context.ts";

const LIMIT = { timeoutMs: 30_000 };
const PROPERTIES = "Id,LoadState,ActiveState,Result,Type,Job,ExecMainExitTimestampMonotonic";

export interface ShownUnit {
  readonly id: string;
  readonly load: string;
  readonly active: string;
  readonly result: string;
  readonly type: string;
  readonly hasJob: boolean;
  /** Its program has ended at least once since the machine started. */
  readonly hasEnded: boolean;
}

export interface Job {
  readonly unit: string;
  /** `running`, or `waiting` for others. */
  readonly state: string;
  /** As systemctl shows it. */
  readonly line: string;
}

/** In the order of `names`. */
export async function readUnits(
  ctx: Context,
  names: readonly string[],
): Promise<readonly ShownUnit[]> {
  const args = ["show", `--property=${PROPERTIES}`, "--", ...names];
  return parseUnits(await ctx.read("systemctl", args, LIMIT));
}

export function parseUnits(text: string): readonly ShownUnit[] {
  return text
    .split(/\n\n+/)
    .filter((it) => it.trim() !== "")
    .map((block) => {
      const of = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(block)?.[1] ?? "";
      return {
        id: of("Id"),
        load: of("LoadState"),
        active: of("ActiveState"),
        result: of("Result"),
        type: of("Type"),
        hasJob: Number(of("Job")) > 0,
        hasEnded: Number(of("ExecMainExitTimestampMonotonic")) > 0,
      };
    });
}

export async function readFailedUnits(ctx: Context): Promise<readonly string[]> {
  const args = ["list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager"];
  const lines = linesOf(await ctx.read("systemctl", args, LIMIT));
  return lines.flatMap((line) => line.trim().split(/\s+/)[0] || []);
}

/** What systemd works on or waits with. */
export async function readJobs(ctx: Context): Promise<readonly Job[]> {
  const args = ["list-jobs", "--plain", "--no-legend", "--no-pager"];
  return parseJobs(await ctx.read("systemctl", args, LIMIT));
}

export function parseJobs(text: string): readonly Job[] {
  return linesOf(text).map((line) => {
    const [, unit = "", , state = ""] = line.trim().split(/\s+/);
    return { unit, state, line };
  });
}

/** The last lines of a unit in this boot's journal. */
export async function readUnitJournal(ctx: Context, unit: string): Promise<readonly string[]> {
  const args = ["--boot", `--unit=${unit}`, "--lines=10", "--no-pager", "--quiet"];
  return linesOf(await ctx.read("journalctl", args, LIMIT));
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((it) => it.trim() !== "");
}
