// With a stand-in for timeout(1), which starts everything else: it notes what it was told and ends as we say.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { judgeMutant, readBaseline } from "./judge.ts";
import { findMutants } from "./mutants.ts";

const SOURCE = "f(1);\n";
const BASELINE = {
  path: "src/a.ts",
  tests: [["src/a.test.ts"], ["src/b/c.test.ts"]],
  limitMs: 2500,
};

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "bootc-judge-"));
  mkdirSync(join(top, "src"));
  writeFileSync(join(top, "src/a.ts"), SOURCE);
});
afterEach(() => rmSync(top, { recursive: true }));

function treeWith(timeout: string) {
  writeFileSync(join(top, "timeout"), `#!/bin/sh\n${timeout}\n`);
  chmodSync(join(top, "timeout"), 0o755);
  const ctx = createContext({ env: { PATH: `${top}:/usr/bin:/bin` } });
  return { ctx, top, mayInstall: false };
}

async function judge(timeout: string) {
  const [mutant] = findMutants(SOURCE).filter((it) => it.kind === "number");
  if (mutant === undefined) throw new Error("unreachable: a mutant");
  return await judgeMutant(treeWith(timeout), BASELINE, mutant);
}

test.each([
  [0, "survived", 2],
  [1, "killed", 1],
  [124, "timeout", 1],
  [137, "timeout", 1],
])("tests that end with status %i: %s, after %i runs", async (status, verdict, runs) => {
  expect(await judge(`echo run >> ${top}/runs; exit ${status}`)).toBe(verdict);
  expect(readFileSync(join(top, "runs"), "utf8")).toBe("run\n".repeat(runs));
});

test("a signal that ends timeout itself is one of its own", async () => {
  expect(await judge("kill -KILL $$")).toBe("timeout");
});

test("vitest gets the changed text, the tests beside the file first, and a limit", async () => {
  await judge(`echo "$BOOTC_MUTATED: $(cat "$BOOTC_MUTANT")" >> ${top}/seen
    echo "$1 $2 $5 $6" >> ${top}/seen`);
  expect(readFileSync(join(top, "seen"), "utf8").replaceAll(top, "TOP")).toBe(
    "TOP/src/a.ts: f(2);\n--signal=KILL 3 run src/a.test.ts\n" +
      "TOP/src/a.ts: f(2);\n--signal=KILL 3 run src/b/c.test.ts\n",
  );
  expect(readFileSync(join(top, "src/a.ts"), "utf8")).toBe(SOURCE);
});

const REPORT = (names: readonly string[]) =>
  JSON.stringify({ testResults: names.map((it) => ({ name: `${top}/${it}` })) });

test("the baseline has the file's own test first, and those elsewhere apart", async () => {
  const report = REPORT(["src/z.test.ts", "src/b/c.test.ts", "src/a.test.ts"]);
  const tree = treeWith(`echo '${report}' > ${top}/target/mutants/baseline.json`);
  expect(await readBaseline(tree, "src/a.ts")).toMatchObject({
    tests: [["src/a.test.ts", "src/z.test.ts"], ["src/b/c.test.ts"]],
    limitMs: 15_000,
  });
});

test("a file that no test imports has no tests to run, so that all its mutants survive", async () => {
  const tree = treeWith(`echo '${REPORT([])}' > ${top}/target/mutants/baseline.json`);
  expect((await readBaseline(tree, "src/a.ts")).tests).toEqual([]);
});

test("tests that fail without a change are an error", async () => {
  await expect(readBaseline(treeWith("exit 1"), "src/a.ts")).rejects.toThrow(
    "the unit tests of src/a.ts fail without a change",
  );
});
