import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOfJudge } from "./judge-sources.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "crash-sources-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("each source counts with its name, and tests do not", async () => {
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  write("judge.ts", "one");
  write("view.ts", "two");
  const first = await digestOfJudge(dir, []);
  write("judge.test.ts", "three");
  expect(await digestOfJudge(dir, [])).toBe(first);
  expect(await digestOfJudge(dir, [join(dir, "judge.test.ts")])).not.toBe(first);
  write("judge.ts", "onet");
  write("view.ts", "wo");
  expect(await digestOfJudge(dir, [])).not.toBe(first);
});

test("the judge's own sources have a digest", async () => {
  expect(await digestOfJudge()).toMatch(/^[0-9a-f]{16}$/);
});
