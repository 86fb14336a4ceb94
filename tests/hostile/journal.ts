// The journal of trials, with a line for each, so that a run continues where the last one ended; and its tables.
import { appendLine, readLines } from "../journal-lines.ts";
import type { Trial } from "./trial.ts";

/** The run that a line belongs to: the same inputs and the same program. */
export interface Run {
  readonly seed: string;
  /** The executable's digest. */
  readonly executable: string;
}

type Line = Run & Trial;

export async function appendTrial(path: string, run: Run, trial: Trial): Promise<void> {
  await appendLine(path, { ...run, ...trial } satisfies Line);
}

/** The trials of `run`; another seed's or another program's are left out. */
export async function readTrials(path: string, run: Run): Promise<readonly Trial[]> {
  const lines = await readLines<Line>(path);
  return lines.filter((it) => it.seed === run.seed && it.executable === run.executable);
}

/** By what was damaged: how many, with which status they ended, how long the slowest took, what was wrong. */
export function formatTable(trials: readonly Trial[]): string {
  const groups = Map.groupBy(trials, (it) => `${it.name.split("-", 1)[0]} ${it.of}`);
  const statuses = [...new Set(trials.map((it) => String(it.status)))].sort();
  const row = (name: string, some: readonly Trial[]) => [
    name,
    some.length,
    ...statuses.map((status) => some.filter((it) => String(it.status) === status).length),
    (Math.max(0, ...some.map((it) => it.ms)) / 1000).toFixed(1),
    some.filter((it) => !it.isClean).length,
    some.filter((it) => it.problems.length > 0).length,
  ];
  const lines = [
    ["damaged", "inputs", ...statuses.map((it) => `status ${it}`), "slowest, s", "fsck", "failed"],
    ["---", ...statuses.map(() => "---:"), "---:", "---:", "---:", "---:"],
    ...[...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, some]) => row(name, some)),
    row("all", trials),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
