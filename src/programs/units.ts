// systemd's units: how they stand, which have failed, and what they last wrote to the journal.
import type { Context } from "../system/context.ts";

const LIMIT = { timeoutMs: 30_000 };
const PROPERTIES = "Id,LoadState,ActiveState,Result,Type,Job";

export interface ShownUnit {
  readonly id: string;
  readonly load: string;
  readonly active: string;
  readonly result: string;
  readonly type: string;
  readonly hasJob: boolean;
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
      };
    });
}

export async function readFailedUnits(ctx: Context): Promise<readonly string[]> {
  const args = ["list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager"];
  return firstWords(await ctx.read("systemctl", args, LIMIT));
}

/** One line for each job that systemd works on or waits with. */
export async function readJobs(ctx: Context): Promise<readonly string[]> {
  const args = ["list-jobs", "--plain", "--no-legend", "--no-pager"];
  const text = await ctx.read("systemctl", args, LIMIT);
  return text.split("\n").filter((it) => it.trim() !== "");
}

/** The last lines of a unit in this boot's journal. */
export async function readUnitJournal(ctx: Context, unit: string): Promise<readonly string[]> {
  const args = ["--boot", `--unit=${unit}`, "--lines=10", "--no-pager", "--quiet"];
  const text = await ctx.read("journalctl", args, LIMIT);
  return text.split("\n").filter((it) => it.trim() !== "");
}

function firstWords(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => line.trim().split(/\s+/)[0] || []);
}
