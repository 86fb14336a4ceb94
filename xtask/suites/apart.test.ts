import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { APART, replacesForGood } from "./apart.ts";

const TOP = join(import.meta.dirname, "../..");

test.each([
  ["a module", 'vi.mock("node:fs", load);', true],
  ["a function, at the top", 'const run = vi.spyOn(process, "execve");', true],
  ["a function, in a test", '  const run = vi.spyOn(process, "execve");', false],
  ["nothing", "expect(1).toBe(1);", false],
])("a test that replaces %s", (_, text, want) => {
  expect(replacesForGood(text)).toBe(want);
});

test("every unit test that replaces something for good has a process of its own", async () => {
  const found: string[] = [];
  const patterns = [
    ...["{src,xtask,bench}/**/*.test.ts", "tests/{crash,faults,hostile}/**/*.test.ts"],
    "tests/vm/cut-*.test.ts",
  ];
  for await (const path of glob(patterns, { cwd: TOP })) {
    if (path === "xtask/suites/apart.test.ts") continue;
    if (replacesForGood(await readFile(join(TOP, path), "utf8"))) found.push(path);
  }
  expect(found.sort()).toEqual([...APART].sort());
});
