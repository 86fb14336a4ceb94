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

export async function appendJudged(path: string, run: Run, judged: Judged): Promise<void> {
  await appendLine(path, { ...run, ...judged } satisfies Run & Judged);
}

/** The states judged in `run`; if one was judged again, only the last time. */
export async function readJudged(path: string, run: Run): Promise<readonly Judged[]> {
  return await readRun<Judged>(path, run);
}

/** The last line of each state that belongs to `run`. */
export async function readRun<T extends { readonly number: number }>(
  path: string,
  run: Run,
): Promise<readonly T[]> {
  const keys = ["recording", "made", "executable", "judge"] as const;
  const lines = await readLines<Run & T>(path);
  const own = lines.filter((line) => keys.every((it) => line[it] === run[it]));
  return [...new Map(own.map((it) => [it.number, it])).values()];
}

type Failed = Pick<Judged, "number" | "phase" | "kind" | "problems">;

/** What a failed state has, and the command that tries it again; `options` also belong to its number. */
export function describeFailure(name: string, it: Failed, options: string): string {
  return [
    `failed: ${name} ${it.number} (${it.phase}, ${it.kind})`,
    ...it.problems.map((problem) => `  ${problem}`),
    `  again: npm run xtask -- crash-states --recording ${name} --only ${it.number}${options}`,
  ].join("\n");
}

export interface Results {
  readonly recording: string;
  readonly judged: readonly Judged[];
}

const HEAD = [
  ...["recording", "states", "different", "boot old", "boot new", "remembered", "compared"],
  ...["repaired", "check", "loader", "failed", "bound"],
];

/** By recording: how many states, how many of them differ, what boots, how many are wrong. */
export function formatTable(results: readonly Results[]): string {
  const row = (name: string, some: readonly Results[]) => {
    const all = some.flatMap((it) => it.judged);
    const count = (test: (it: Judged) => boolean) => all.filter(test).length;
    const failed = count((it) => it.problems.length > 0);
    return [
      ...[name, all.length, some.reduce((sum, it) => sum + countViews(it), 0)],
      ...(["old", "new"] as const).map((side) => count((it) => it.booted === side)),
      ...[count((it) => it.isRemembered), count((it) => it.isCompared)],
      count((it) => it.isRepaired),
      // What is there before and after a repair is not ours.
      count((it) => !it.isRepaired && it.complaints.length > 0),
      count((it) => !it.isRepaired && it.loader.length > 0),
      ...[failed, failed > 0 ? "-" : formatBound(count((it) => !it.isRepaired))],
    ];
  };
  const rows = results.map((it) => row(it.recording, [it]));
  return printTable([HEAD, ...rows, row("all", results)]);
}

/** What another recording has is another system, whatever it looks like. */
function countViews({ judged }: Results): number {
  return new Set(judged.map((it) => it.view)).size;
}

/**
 * With a confidence of 95 %, fewer than this share fail, if none of `count` random ones did: then the probability of none
 * would be 5 %. Two digits, rounded up.
 */
export function formatBound(count: number): string {
  if (count === 0) return "-";
  const percent = 100 * (1 - 0.05 ** (1 / count));
  const digits = Math.max(0, 1 - Math.floor(Math.log10(percent)));
  // Less a bit, since 95 % itself is a bit more in binary.
  const rounded = Math.ceil(percent * 10 ** digits - 1e-9) / 10 ** digits;
  return `${rounded.toFixed(digits)} %`;
}

/** By recording and phase: how many states. */
export function formatPhases(results: readonly Results[]): string {
  return tabulate(results, PHASES, (it) => it.phase);
}

/** By recording and kind: how many states. */
export function formatKinds(results: readonly Results[]): string {
  return tabulate(results, KINDS, (it) => it.kind);
}

function tabulate<T extends string>(
  results: readonly Results[],
  columns: readonly T[],
  columnOf: (it: Judged) => T,
): string {
  const row = (name: string, some: readonly Judged[]) => [
    name,
    ...columns.map((column) => some.filter((it) => columnOf(it) === column).length),
  ];
  const rows = results.map(({ recording, judged }) => row(recording, judged));
  const all = results.flatMap((it) => it.judged);
  return printTable([["recording", ...columns], ...rows, row("all", all)]);
}

type Cells = readonly (string | number)[];

/** The first column is a word, the others are numbers. */
export function printTable([head = [], ...rows]: readonly Cells[]): string {
  const rule = head.map((_, i) => (i === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Each state is a test. */
export function formatReport(results: readonly Results[], file: string): string {
  const states = results.flatMap(({ recording, judged }) =>
    judged.map(({ number, problems }) => ({ name: `${recording} ${number}`, problems })),
  );
  return reportOf(states, file);
}
