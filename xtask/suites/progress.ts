// The result of a suite that did not reach its end, from the notes of its tests (tests/progress.ts).

/** One line: about a test, or about the file when `test` is absent. */
interface Noted {
  readonly event: "begins" | "passed" | "failed" | "ended";
  readonly file: string;
  readonly test?: string;
}

/** Added to the name of a test that never ended. */
const WAS_RUNNING = "(was running when the suite was ended)";

/** A report in vitest's format. Tests that were still running count as failures. */
export function reportOfProgress(text: string): string {
  const noted = parseProgress(text);
  const tests = noted.filter((it) => it.test !== undefined);
  const results = [...Map.groupBy(noted, (it) => it.file)].flatMap(([file, lines]) => {
    const failed = lines.flatMap((it) => (it.event === "failed" ? [it.test ?? ""] : []));
    const running = runningIn(lines).map((it) => `${it} ${WAS_RUNNING}`);
    const names = [...failed, ...running];
    const isEnded = lines.some((it) => it.event === "ended");
    // If none of its tests was running, the code before, between or after them was.
    if (isEnded && names.length === 0) return [];
    if (!isEnded && running.length === 0) names.push(`code around its tests ${WAS_RUNNING}`);
    const assertionResults = names.map((fullName) => ({ status: "failed", fullName }));
    return [{ status: "failed", name: file, assertionResults }];
  });
  const failures = results.flatMap((it) => it.assertionResults);
  return JSON.stringify({
    success: false,
    numPassedTests: tests.filter((it) => it.event === "passed").length,
    numFailedTests: failures.length,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: results,
  });
}

function parseProgress(text: string): readonly Noted[] {
  // The last line may have been cut off while being written, so it is ignored.
  const lines = text.split("\n").slice(0, -1);
  return lines.map((it) => JSON.parse(it) as Noted);
}

/** The tests of one file that began more often than they ended; tests of `test.each` may share a name. */
function runningIn(lines: readonly Noted[]): readonly string[] {
  const open: string[] = [];
  for (const { event, test } of lines) {
    if (test === undefined) continue;
    if (event === "begins") open.push(test);
    else open.splice(open.indexOf(test), 1);
  }
  return open;
}
