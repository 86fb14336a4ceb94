// Reports the verdicts on the mutants of files, for people and for scripts.
import type { Verdict } from "./judge.ts";
import type { Mutant } from "./mutants.ts";

export interface Judged extends Mutant {
  readonly verdict: Verdict;
}

export interface FileReport {
  /** Relative to the checkout. */
  readonly path: string;
  /** How many test files import it. */
  readonly tests: number;
  /** The number of all mutants, of which `judged` may be a sample. */
  readonly mutants: number;
  readonly judged: readonly Judged[];
}

const COLUMN_MAX = 60;

/** A line for each mutant that no test noticed, as `file:line: before -> after`. */
export function formatSurvivors({ path, judged }: FileReport): readonly string[] {
  return judged
    .filter((it) => it.verdict === "survived")
    .map((it) => `${path}:${it.line}: ${shorten(it.original)} -> ${shorten(it.replacement)}`);
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  const shown = line === ";" ? "" : line;
  return `\`${shown.length > COLUMN_MAX ? `${shown.slice(0, COLUMN_MAX - 1)}…` : shown}\``;
}

/** The table of docs/testing.md. */
export function formatScores(reports: readonly FileReport[]): string {
  const rows = reports.map((it) => {
    const count = (verdict: Verdict) => it.judged.filter((one) => one.verdict === verdict).length;
    const noticed = it.judged.length - count("survived");
    const share =
      it.judged.length === 0 ? "-" : `${Math.round((100 * noticed) / it.judged.length)} %`;
    return [it.path, it.tests, it.mutants, it.judged.length, noticed, count("survived"), share];
  });
  const titles = ["File", "Test files", "Mutants", "Tried", "Noticed", "Survived", "Share"];
  const line = (cells: readonly unknown[]) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, i) => (i === 0 ? "---" : "---:"));
  return [line(titles), line(rule), ...rows.map(line)].join("\n");
}

export function formatJson(seed: number, reports: readonly FileReport[]): string {
  return JSON.stringify({ seed, files: reports }, undefined, 2);
}
