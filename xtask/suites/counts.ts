// What test runs came to: added up from vitest's reports, so that nobody has to trust a log.
import { join, relative } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";

/** The suites in the order in which they run; the last ones need root and take minutes. */
export const SUITES = ["unit", "cli", "repo", "packages", "vm"] as const;

export type Suite = (typeof SUITES)[number];

/** Everything that leaves a report to count: the suites, and what other tasks try. */
export const REPORTS = [
  ...SUITES,
  "hostile-inputs",
  "crash-states",
  "crash-boots",
  "fault-steps",
] as const;

export type ReportName = (typeof REPORTS)[number];

export function reportPath({ top }: Tree, name: ReportName): string {
  return join(top, "target", "tests", `${name}.json`);
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The failed tests, each as file and name. */
  readonly failures: readonly string[];
}

/** The counts for those of `names` that have a report in target/tests. */
export async function readCounts(
  tree: Tree,
  names: readonly ReportName[],
): Promise<readonly Counts[]> {
  const counts = names.map(async (name) => {
    const text = await readFileIfAny(reportPath(tree, name));
    return text === undefined ? [] : [parseCounts(text, tree.top)];
  });
  return (await Promise.all(counts)).flat();
}

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly FileResult[];
}

interface FileResult {
  readonly status: string;
  /** The file. */
  readonly name: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
}

/**
 * When a file cannot be loaded or its `beforeAll` fails, vitest counts its tests as none or as skipped; here
 * such a file is one failure. Files are named relative to `top`.
 */
export function parseCounts(text: string, top: string): Counts {
  const report = JSON.parse(text) as Report;
  if (typeof report.numPassedTests !== "number") throw new BootcError("not a vitest report");
  const failures = report.testResults.flatMap((it) => failuresOf(it, top));
  if (failures.length === 0 && !report.success) failures.push("something outside every test");
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
  };
}

function failuresOf({ name, status, assertionResults }: FileResult, top: string): string[] {
  const file = relative(top, name);
  const failed = assertionResults.filter((it) => it.status === "failed");
  if (failed.length > 0) return failed.map((it) => `${file}: ${it.fullName}`);
  return status === "failed" ? [`${file}: as a whole`] : [];
}

export function sumCounts(counts: readonly Counts[]): Counts {
  const sum = (key: "passed" | "failed" | "skipped") =>
    counts.reduce((total, it) => total + it[key], 0);
  const failures = counts.flatMap((it) => it.failures);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped"), failures };
}

/** One line per failure, and a last line like `12 passed, 0 failed, 1 skipped`. */
export function describeCounts(counts: readonly Counts[]): string {
  const { passed, failed, skipped, failures } = sumCounts(counts);
  const lines = failures.map((it) => `failed: ${it}`);
  return [...lines, `${passed} passed, ${failed} failed, ${skipped} skipped`].join("\n");
}
