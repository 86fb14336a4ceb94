// The journal of booted states, a line for each, and its table.
import { appendLine, formatReport as reportOf } from "../../journal-lines.ts";
import { formatBound, printTable, type Run, readRun } from "../journal.ts";
import type { Phase } from "../recordings.ts";
import type { Kind } from "../states.ts";
import type { BootVerdict } from "./judge-boot.ts";

export interface Booted extends BootVerdict {
  readonly number: number;
  readonly kind: Kind;
  readonly phase: Phase;
  /** A file system could not be mounted, so the state was not booted. */
  readonly isUnmountable: boolean;
  /** Another update was staged. */
  readonly isUpdated: boolean;
  readonly seconds: number;
}

export async function appendBooted(path: string, run: Run, booted: Booted): Promise<void> {
  await appendLine(path, { ...run, ...booted });
}

/** The states booted in `run`; if one was booted again, only the last time. */
export async function readBooted(path: string, run: Run): Promise<readonly Booted[]> {
  return await readRun<Booted>(path, run);
}

export interface BootResults {
  readonly recording: string;
  readonly booted: readonly Booted[];
}

const HEAD = [
  ...["recording", "states", "started old", "started new", "updated", "not mountable", "failed"],
  ...["bound", "seconds (median)"],
];

export function formatBoots(results: readonly BootResults[]): string {
  const row = (name: string, all: readonly Booted[]) => {
    const count = (test: (it: Booted) => boolean) => all.filter(test).length;
    const failed = count((it) => it.problems.length > 0);
    const times = all.map((it) => it.seconds).sort((a, b) => a - b);
    return [
      name,
      all.length,
      count((it) => it.booted === "old"),
      count((it) => it.booted === "new"),
      count((it) => it.isUpdated),
      count((it) => it.isUnmountable),
      failed,
      failed > 0 ? "-" : formatBound(count((it) => !it.isUnmountable)),
      (times[Math.floor(times.length / 2)] ?? 0).toFixed(0),
    ];
  };
  const rows = results.map(({ recording, booted }) => row(recording, booted));
  const all = results.flatMap(({ booted }) => booted);
  return printTable([HEAD, ...rows, row("all", all)]);
}

/** Each state is a test. */
export function formatReport(results: readonly BootResults[], file: string): string {
  const states = results.flatMap(({ recording, booted }) =>
    booted.map(({ number, problems }) => ({ name: `${recording} ${number} booted`, problems })),
  );
  return reportOf(states, file);
}
