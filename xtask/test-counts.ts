// What test runs came to: added up from vitest's reports, so that nobody has to trust a log.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, errnoOf } from "../src/errors.ts";
import type { Tree } from "./task.ts";

/** The suites, in the order they run; the last ones need root and minutes. */
export const SUITES = ["unit", "cli", "repo", "packages", "vm"] as const;

export type Suite = (typeof SUITES)[number];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The counts of those of `suites` that have a report in target/tests. */
export async function readCounts(
  { top }: Tree,
  suites: readonly Suite[],
): Promise<readonly Counts[]> {
  const counts = suites.map(async (suite) => {
    try {
      const text = await readFile(join(top, "target", "tests", `${suite}.json`), "utf8");
      return [parseCounts(text)];
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  });
  return (await Promise.all(counts)).flat();
}

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

/**
 * vitest counts the tests of a file that cannot be loaded, or whose `beforeAll` fails, as none or as
 * skipped; such a file is one failure here.
 */
export function parseCounts(text: string): Counts {
  const report = JSON.parse(text) as Report;
  if (typeof report.numPassedTests !== "number") throw new BootcError("no report of vitest");
  const broken = report.testResults.filter(
    (it) => it.status === "failed" && !it.assertionResults.some(isFailure),
  ).length;
  const failed = report.numFailedTests + broken;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && !report.success ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function isFailure(result: unknown): boolean {
  return (result as { readonly status?: string }).status === "failed";
}

export function sumCounts(counts: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => counts.reduce((total, it) => total + it[key], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

/** `12 passed, 0 failed, 1 skipped` */
export function describeCounts(counts: readonly Counts[]): string {
  const { passed, failed, skipped } = sumCounts(counts);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
