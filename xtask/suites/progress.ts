// What a suite came to that did not reach its end, from what its tests noted on the way (tests/progress.ts).

/** One line: a file without `test`, otherwise one of its tests. */
interface Noted {
  readonly event: "begins" | "passed" | "failed" | "ended";
  readonly file: string;
  readonly test?: string;
}

/** What stands behind the name of a test that never ended. */
const WAS_RUNNING = "(was running when the suite was ended)";

/** A report in the form of vitest's: what passed, what failed, and as failures what was running. */
export function reportOfProgress(text: string): string {
  const noted = parseProgress(text);
  const tests = noted.filter((it) => it.test !== undefined);
  const results = [...Map.groupBy(noted, (it) => it.file)].flatMap(([file, lines]) => {
    const failed = lines.flatMap((it) => (it.event === "failed" ? [it.test ?? ""] : []));
    const running = runningIn(lines).map((it) => `${it} ${WAS_RUNNING}`);
    const names = [...failed, ...running];
    const isEnded = lines.some((it) => it.event === "ended");
    // With none of its tests running, what is before, between or after them was.
    if (isEnded && names.length === 0) return [];
    if (!isEnded && running.length === 0) names.push(`what surrounds its tests ${WAS_RUNNING}`);
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
  // A line that was cut short in writing says nothing.
  const lines = text.split("\n").slice(0, -1);
  return lines.map((it) => JSON.parse(it) as Noted);
}

/** The tests of one file that began more often than they ended; a test of `test.each` may share its name. */
function runningIn(lines: readonly Noted[]): readonly string[] {
  const open: string[] = [];
  for (const { event, test } of lines) {
    if (test === undefined) continue;
    if (event === "begins") open.push(test);
    else open.splice(open.indexOf(test), 1);
  }
  return open;
}
