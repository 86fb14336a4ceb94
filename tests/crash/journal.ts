// The journal of judged states, with a line for each, so that a run continues where the last one ended; and its table.
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../../src/errors.ts";
import type { Verdict } from "./judge.ts";
import { PHASES, type Phase } from "./recordings.ts";
import type { Kind } from "./states.ts";

/** What a line belongs to: a recording that was made once, and the program that was judged. */
export interface Run {
  readonly recording: string;
  /** When the recording was made. */
  readonly made: string;
  /** The executable's digest. */
  readonly executable: string;
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
  /** Of the file system's own check. */
  readonly complaints: readonly string[];
  readonly ms: number;
}

type Line = Run & Judged;

export async function appendJudged(path: string, run: Run, judged: Judged): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // The line break comes first, so that a half-written line stays separate.
  await appendFile(path, `\n${JSON.stringify({ ...run, ...judged } satisfies Line)}`);
}

/** The states judged in `run`; if one was judged again, only the last time. */
export async function readJudged(path: string, run: Run): Promise<readonly Judged[]> {
  const lines = (await readIfAny(path)).split("\n").flatMap((line) => {
    const it = line.endsWith("}") ? (JSON.parse(line) as Line) : undefined;
    return it !== undefined && isOf(it, run) ? [it] : [];
  });
  return [...new Map(lines.map((it) => [it.number, it])).values()];
}

function isOf(line: Line, run: Run): boolean {
  return (
    line.recording === run.recording && line.made === run.made && line.executable === run.executable
  );
}

async function readIfAny(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
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
    "repaired",
    "check",
    "loader",
    "failed",
  ];
  const lines = [
    head,
    ["---", "---", ...head.slice(2).map(() => "---:")],
    ...rows,
    row("all", "", all),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** A report in vitest's format, with each state as a test, so that it is counted with the suites. */
export function formatReport(results: readonly Results[], file: string): string {
  const tests = results.flatMap(({ recording, judged }) =>
    judged.map(({ number, problems }) => ({
      status: problems.length === 0 ? "passed" : "failed",
      fullName: [`${recording} ${number}`, ...problems].join("; "),
    })),
  );
  const failed = tests.filter((it) => it.status === "failed").length;
  return JSON.stringify({
    success: failed === 0,
    numPassedTests: tests.length - failed,
    numFailedTests: failed,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [
      { name: file, status: failed === 0 ? "passed" : "failed", assertionResults: tests },
    ],
  });
}
