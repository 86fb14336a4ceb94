import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import type { Context } from "../../src/system/context.ts";
import { createContext } from "../../src/system/run.ts";
import { describeCounts, parseCounts } from "./counts.ts";
import { reportOfProgress } from "./progress.ts";
import { runSuite } from "./suite.ts";

const TOP = join(import.meta.dirname, "../..");
// Each starts vitest anew, once or twice.
vi.setConfig({ testTimeout: 120_000 });
const scratch = mkdtempSync(join(tmpdir(), "test-suite-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Runs files of tests as a suite; what came of them, and what was noted. */
async function runFiles(files: Readonly<Record<string, string>>, stillMs: number) {
  const root = mkdtempSync(join(scratch, "root-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const config = { test: { globals: true, setupFiles: [join(TOP, "tests/progress.ts")] } };
  writeFileSync(join(root, "vitest.config.js"), `export default ${JSON.stringify(config)};`);
  const notes: string[] = [];
  const real = createContext();
  const ctx: Context = {
    ...real,
    note: (it) => void notes.push(it),
    // A failure that is wanted must not look like one.
    run: (program, args, options) => real.run(program, args, { ...options, isQuiet: true }),
  };
  const report = join(root, "report.json");
  const words = ["--root", root, "--no-file-parallelism", "--pool=forks"];
  const run = { name: "mine", words, report, stillMs };
  const isGood = await runSuite({ ctx, top: TOP, mayInstall: false }, run);
  const counts = describeCounts([parseCounts(readFileSync(report, "utf8"), root)]);
  return { isGood, notes, counts: counts.split("\n") };
}

/** The worker's parent is vitest itself; nothing of the worker's reaches it while a test does not wait. */
const ENDS = `describe("group", () => {
  test("is fine", () => {});
  test("is not", () => { throw new Error("x"); });
  test("is the last", () => {
    process.kill(process.ppid, "SIGKILL");
    for (const end = Date.now() + 2000; Date.now() < end; );
  });
  test("never begins", () => {});
});`;

test("a suite that dies: what was running is named, what passed is counted", async () => {
  const first = `${'test("one", () => {}); test("two", () => {});'.padEnd(2000)}// Longer ones go first.`;
  const got = await runFiles({ "a.test.js": first, "b.test.js": ENDS }, 600_000);
  expect(got).toEqual({
    isGood: false,
    notes: [expect.stringMatching(/^mine: BootcError: .* ended by SIGKILL/)],
    counts: [
      "failed: b.test.js: group is not",
      "failed: b.test.js: group is the last (was running when the suite was ended)",
      "3 passed, 2 failed, 0 skipped",
    ],
  });
});

test("a suite in which no test begins or ends for too long is ended", async () => {
  const got = await runFiles({ "a.test.js": 'test("one", () => {});' }, 1);
  expect(got).toEqual({
    isGood: false,
    notes: ["mine: BootcError: ended: no test began or ended within 1 minutes"],
    counts: ["failed: something outside every test", "0 passed, 1 failed, 0 skipped"],
  });
});

test("an interrupted suite leaves the same kind of report", async () => {
  const report = join(mkdtempSync(join(scratch, "interrupted-")), "report.json");
  const ctx = createContext({ signal: AbortSignal.abort(new Error("interrupted")) });
  const run = { name: "mine", words: [], report, stillMs: 600_000 };
  await expect(runSuite({ ctx, top: TOP, mayInstall: false }, run)).rejects.toThrow("interrupted");
  expect(parseCounts(readFileSync(report, "utf8"), TOP)).toMatchObject({ passed: 0, failed: 1 });
});

test("a suite that ends by itself has the report of vitest", async () => {
  const passes = await runFiles({ "a.test.js": 'test("one", () => {});' }, 600_000);
  expect(passes).toEqual({ isGood: true, notes: [], counts: ["1 passed, 0 failed, 0 skipped"] });
  const fails = await runFiles({ "a.test.js": 'test("one", () => expect(1).toBe(2));' }, 600_000);
  expect(fails).toMatchObject({
    isGood: false,
    counts: ["failed: a.test.js: one", "0 passed, 1 failed, 0 skipped"],
  });
});

const line = (it: object) => `${JSON.stringify({ file: "/top/a.test.ts", ...it })}\n`;

test.each([
  {
    why: "between two tests",
    text:
      line({ event: "begins" }) +
      line({ event: "begins", test: "t" }) +
      line({ event: "passed", test: "t" }),
    want: [
      "failed: a.test.ts: code around its tests (was running when the suite was ended)",
      "1 passed, 1 failed, 0 skipped",
    ],
  },
  {
    why: "the same name twice",
    text:
      line({ event: "begins", test: "t" }) +
      line({ event: "passed", test: "t" }) +
      line({ event: "begins", test: "t" }),
    want: [
      "failed: a.test.ts: t (was running when the suite was ended)",
      "1 passed, 1 failed, 0 skipped",
    ],
  },
  {
    why: "a line cut short",
    text: `${line({ event: "begins" })}${line({ event: "ended" })}{"event":"be`,
    want: ["failed: something outside every test", "0 passed, 1 failed, 0 skipped"],
  },
  {
    why: "nothing at all",
    text: "",
    want: ["failed: something outside every test", "0 passed, 1 failed, 0 skipped"],
  },
])("a run that ends with $why", ({ text, want }) => {
  expect(describeCounts([parseCounts(reportOfProgress(text), "/top")]).split("\n")).toEqual(want);
});
