import { join } from "node:path";
import { expect, test } from "vitest";
import { findRuleProblems, findWorkflowProblems } from "./workflows.ts";

const GOOD = `name: x
on: [push]
permissions: {}
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {}
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - run: npm run xtask lint
`;

test("a workflow that keeps the rules", () => {
  expect(findRuleProblems("w.yml", GOOD)).toEqual([]);
});

test.each([
  ["permissions: {}\njobs", "jobs", "w.yml:1: the workflow itself has permissions"],
  ["    timeout-minutes: 5\n", "", "w.yml:6: job `a` has no timeout-minutes"],
  ["    permissions: {}\n", "", "w.yml:6: job `a` does not list its permissions"],
  [
    "@08c6903cd8c0fde910a37f88322edcfb5dd907a8",
    "@v5",
    "w.yml:10: `actions/checkout@v5` is not pinned",
  ],
  [
    "npm run xtask lint",
    "|\n          a\n          b\n          c",
    "w.yml:11: more than 2 lines of shell",
  ],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of GitHub's.
  ["npm run xtask lint", '"echo ${{ github.ref }}"', "w.yml:11: an expression in shell"],
])("%j turned into %j", (from, to, want) => {
  expect(GOOD).toContain(from);
  const problems = findRuleProblems("w.yml", GOOD.replace(from, to));
  expect(problems).toEqual([expect.stringContaining(want)]);
});

test("the workflows of this repository, by actionlint too", async () => {
  expect(await findWorkflowProblems(join(import.meta.dirname, "../.."))).toEqual([]);
});
