// The journal of judged states, with a line for each, so that a run continues where the last one ended; and its table.
import { appendLine, readLines, formatReport as reportOf } from "../journal-lines.ts";
import type { Verdict } from "./judge.ts";
import { PHASES, type Phase } from "./recordings.ts";
import { KINDS, type Kind } from "./states.ts";

/** What a line belongs to: a recording that was made once, the program that was judged, and the judge. */
export interface Run {
  readonly recording: string;
  /** When the recording was made. */
  readonly made: string;
  /** The executable's digest. */
  readonly executable: string;
  /** The digest of the judge's sources. */
  readonly judge: string;
}

export interface Judged extends Verdict {
  readonly number: number;
  readonly interval: number;
  readonly kind: Kind;
  readonly phase: Phase;
  /** States with the same view are judged once. */
  readonly view: string;
  readonly isRepeated: boolean;
  readonly isRepaired: boolean;
  /** Its disk was not looked at. */
  readonly isRemembered: boolean;
  /** Its disk was looked at nevertheless, which found the same unless there is a problem. */
  readonly isCompared: boolean;
  /** Of the file system's own check. */
  readonly complaints: readonly string[];
  readonly ms: number;
}

type Line = Run & Judged;

export async function appendJudged(path: string, run: Run, judged: Judged): Promise<void> {
  await appendLine(path, { ...run, ...judged } satisfies Line);
}

/** The states judged in `run`; if one was judged again, only the last time. */
export async function readJudged(path: string, run: Run): Promise<readonly Judged[]> {
  const lines = (await readLines<Line>(path)).filter((it) => isOf(it, run));
  return [...new Map(lines.map((it) => [it.number, it])).values()];
}

function isOf(line: Line, run: Run): boolean {
  const keys = ["recording", "made", "executable", "judge"] as const;
  return keys.every((it) => line[it] === run[it]);
}

export interface Results {
  readonly recording: string;
  readonly judged: readonly Judged[];
}

/** By recording and phase: how many states, how many of them differ, what boots, how many are wrong. */
export function formatTable(results: readonly Results[]): string {
  const row = (name: string, phase: string, some: readonly Judged[]) => {
    const count = (test: (it: Judged) => boolean) => some.filter(test).length;
    return [
      ...[name, phase, some.length, count((it) => !it.isRepeated)],
      ...(["old", "new"] as const).map((side) => count((it) => it.booted === side)),
      ...[count((it) => it.isRemembered), count((it) => it.isCompared)],
      count((it) => it.isRepaired),
      count((it) => it.complaints.length > 0),
      count((it) => it.loader.length > 0),
      count((it) => it.problems.length > 0),
    ];
  };
  const rows = results.flatMap(({ recording, judged }) =>
    PHASES.flatMap((phase) => {
      const here = judged.filter((it) => it.phase === phase);
      return here.length === 0 ? [] : [row(recording, phase, here)];
    }),
  );
  const all = results.flatMap((it) => it.judged);
  const head = [
    "recording",
    "phase",
    "states",
    "different",
    "boot old",
    "boot new",
    "remembered",
    "compared",
    "repaired",
    "check",
    "loader",
    "failed",
  ];
  return printTable(2, [head, ...rows, row("all", "", all)]);
}

/** By recording and kind: how many states. */
export function formatKinds(results: readonly Results[]): string {
  const row = (name: string, some: readonly Judged[]) => [
    name,
    ...KINDS.map((kind) => some.filter((it) => it.kind === kind).length),
  ];
  const rows = results.map(({ recording, judged }) => row(recording, judged));
  const all = results.flatMap((it) => it.judged);
  return printTable(1, [["recording", ...KINDS], ...rows, row("all", all)]);
}

type Cells = readonly (string | number)[];

/** The first columns are words, the others numbers. */
function printTable(words: number, [head = [], ...rows]: readonly Cells[]): string {
  const rule = head.map((_, i) => (i < words ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Each state is a test. */
export function formatReport(results: readonly Results[], file: string): string {
  const states = results.flatMap(({ recording, judged }) =>
    judged.map(({ number, problems }) => ({ name: `${recording} ${number}`, problems })),
  );
  return reportOf(states, file);
}
