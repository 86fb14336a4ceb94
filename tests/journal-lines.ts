// Journals of long runs: a line for each result, so that a run continues where the last one ended; and their report.
import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { readFileIfAny } from "../src/system/files.ts";

export async function appendLine(path: string, line: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // The line break comes first, so that a half-written line stays separate.
  await appendFile(path, `\n${JSON.stringify(line)}`);
}

/** Without half-written lines, which a killed run may leave. */
export async function readLines<T>(path: string): Promise<readonly T[]> {
  const lines = ((await readFileIfAny(path)) ?? "").split("\n");
  return lines.filter((it) => it.endsWith("}")).map((it) => JSON.parse(it) as T);
}

export interface Result {
  readonly name: string;
  readonly problems: readonly string[];
}

/** A report in vitest's format, with each result as a test, so that it is counted with the suites. */
export function formatReport(results: readonly Result[], file: string): string {
  const failed = results.filter((it) => it.problems.length > 0).length;
  return JSON.stringify({
    success: failed === 0,
    numPassedTests: results.length - failed,
    numFailedTests: failed,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [
      {
        name: file,
        status: failed === 0 ? "passed" : "failed",
        assertionResults: results.map(({ name, problems }) => ({
          status: problems.length === 0 ? "passed" : "failed",
          fullName: [name, ...problems].join("; "),
        })),
      },
    ],
  });
}
