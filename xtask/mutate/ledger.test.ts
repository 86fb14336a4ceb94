import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scriptedContext } from "../../src/testing/scripted-context.ts";
import { openLedger } from "./ledger.ts";
import { findMutants, mutantKey } from "./mutants.ts";

const baseline = { path: "a.ts", tests: [["a.test.ts"]], limitMs: 1 };
const [first, second] = findMutants("f(1, 2)");
let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "bootc-ledger-"));
  writeFileSync(join(top, "a.ts"), "f(1, 2)");
  writeFileSync(join(top, "a.test.ts"), "test");
});
afterEach(() => rmSync(top, { recursive: true }));

const open = () =>
  openLedger({ ctx: scriptedContext(top, []).ctx, top, mayInstall: false }, baseline);

async function fill(): Promise<void> {
  if (first === undefined || second === undefined) throw new Error("unreachable: two mutants");
  const ledger = await open();
  await ledger.add(first, "killed");
  await ledger.add(second, "survived");
}

test("verdicts outlive the run", async () => {
  expect((await open()).known.size).toBe(0);
  await fill();
  const names = [first, second].map((it) => (it === undefined ? "" : mutantKey(it)));
  expect([...(await open()).known]).toEqual([
    [names[0], "killed"],
    [names[1], "survived"],
  ]);
});

test("half a line counts for nothing", async () => {
  await fill();
  const path = join(top, "target/mutants/a.ts.jsonl");
  writeFileSync(path, readFileSync(path, "utf8").slice(0, -4));
  expect((await open()).known.size).toBe(1);
});

test.each(["a.ts", "a.test.ts"])("a change of %s makes them void", async (name) => {
  await fill();
  writeFileSync(join(top, name), "another");
  expect((await open()).known.size).toBe(0);
});
