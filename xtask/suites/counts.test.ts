import { expect, test } from "vitest";
import { describeCounts, parseCounts } from "./counts.ts";

const report = (it: object) =>
  JSON.stringify({
    success: true,
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 1,
    numTodoTests: 1,
    testResults: [],
    ...it,
  });
const failedFile = (...statuses: string[]) => ({
  status: "failed",
  name: "/top/a.test.ts",
  assertionResults: statuses.map((status, i) => ({ status, fullName: `test ${i}` })),
});

test.each([
  { why: "skipped and to do are both not run", it: {}, want: "3 passed, 0 failed, 2 skipped" },
  {
    why: "failures count once, each by name",
    it: { success: false, numFailedTests: 2, testResults: [failedFile("failed", "ok", "failed")] },
    want: "failed: a.test.ts: test 0\nfailed: a.test.ts: test 2\n3 passed, 2 failed, 2 skipped",
  },
  {
    why: "a file that cannot be loaded is a failure",
    it: { success: false, testResults: [failedFile()] },
    want: "failed: a.test.ts: as a whole\n3 passed, 1 failed, 2 skipped",
  },
  {
    why: "so is one whose preparation fails",
    it: { success: false, testResults: [failedFile("skipped", "skipped")] },
    want: "failed: a.test.ts: as a whole\n3 passed, 1 failed, 2 skipped",
  },
  {
    why: "and an error outside every test",
    it: { success: false },
    want: "failed: something outside every test\n3 passed, 1 failed, 2 skipped",
  },
])("$why", ({ it, want }) => {
  expect(describeCounts([parseCounts(report(it), "/top")])).toBe(want);
});
