// Notes the begin and the end of each test: vitest reports only at the end of a run, and a worker that waits for a
// program reports nothing. `xtask test` reads the notes of a suite that did not reach its end.
import { appendFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

const path = process.env.BOOTC_TEST_PROGRESS;

function note(event: "begins" | "passed" | "failed" | "ended", test?: string): void {
  const file = expect.getState().testPath;
  appendFileSync(path ?? "", `${JSON.stringify({ event, file, test })}\n`);
}

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}

/** As in vitest's reports: the groups around a test, then its own name. */
function fullNameOf({ name, suite }: Named): string {
  return suite === undefined ? name : `${fullNameOf(suite)} ${name}`;
}

if (path !== undefined) {
  beforeAll(() => note("begins"));
  afterAll(() => note("ended"));
  beforeEach(({ task }) => note("begins", fullNameOf(task)));
  afterEach(({ task }) =>
    note(task.result?.state === "fail" ? "failed" : "passed", fullNameOf(task)),
  );
}
