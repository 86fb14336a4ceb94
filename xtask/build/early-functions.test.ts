import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EARLY_FUNCTIONS } from "./bundle.ts";
import { nameUnits, withEarlyFunctions } from "./early-functions.ts";

/** As esbuild writes bundles: a module's functions at the top level, its other code in a function. */
const BUNDLE = `"use strict";
var __esm = (fn) => () => fn[Object.keys(fn)[0]]();
// src/a.ts
function twice(it) {
  function inner() {
    return it + it;
  }
  return inner();
}
async function* numbers({ from } = { from: 1 }) {
  yield from;
}
async function later2(it) {
  return numbers.name + twice(it) + LETTER;
}
var LETTER, init_a = __esm({
  "src/a.ts"() {
    "use strict";
    LETTER = ((it) => {
      return it;
    })("a");
  }
});
// src/b.ts
var order = before.name;
function before() {
  return 1;
}
init_a();
return { order, later: later2, twice, LETTER };
`;

function run(text: string) {
  return new Function(text)();
}

const LIST = ["src/a.ts", "src/a.ts later", "src/a.ts numbers", "src/b.ts before"];

test("the functions on the list, and the code of modules, are written so that V8 compiles them early", async () => {
  const { text, count } = withEarlyFunctions(BUNDLE, LIST);
  expect(count).toBe(4);
  expect(text).toContain("var later2 = (async function(it) {");
  expect(text).toContain("var numbers = (async function*({ from } = { from: 1 }) {");
  expect(text).toContain('"src/a.ts": (function() {');
  expect(text).toContain("\nfunction twice(it) {");
});

test("the program does the same: order, names and values", async () => {
  const [before, after] = [run(BUNDLE), run(withEarlyFunctions(BUNDLE, LIST).text)];
  for (const { order, later, twice, LETTER } of [before, after]) {
    expect({ order, twice: twice(2), LETTER, name: later.name }).toEqual({
      ...{ order: "before", twice: 4, LETTER: "a", name: "later2" },
    });
    expect(await later(1)).toBe("numbers2a");
  }
});

test("a closing brace in a text does not end a function", () => {
  const text = "{\n}";
  const bundle = `// src/c.ts\nfunction show(it) {\n  return it + \`${text}\`;\n}\nreturn show;\n`;
  const { text: early } = withEarlyFunctions(bundle, ["src/c.ts show"]);
  expect(early).toMatch(/^var show = \(function\(it\) \{/);
  expect(run(early)("x")).toBe(`x${text}`);
});

test("the bundle stays strict", () => {
  expect(withEarlyFunctions(BUNDLE, LIST).text.startsWith('"use strict";\n')).toBe(true);
});

test("a line that names nothing is left alone", () => {
  expect(withEarlyFunctions(BUNDLE, ["src/a.ts gone", "src/gone.ts"])).toEqual({
    ...{ text: BUNDLE, count: 0 },
  });
});

test("units are named by where they begin, without the numbers that esbuild appends", () => {
  const starts = ["async function later2", '"src/a.ts"()', "function inner"].map((it) =>
    BUNDLE.indexOf(it),
  );
  expect(nameUnits(BUNDLE, (start) => starts.includes(start))).toEqual([
    "src/a.ts",
    "src/a.ts later",
  ]);
});

/** A function is declared there; the list lacks numbers at the end of names. */
const declares = (source: string, name: string) =>
  new RegExp(`\\bfunction\\*? ?${RegExp.escape(name)}\\d*\\b`).test(source);

test("what the list names is there; `npm run xtask early-functions` writes it anew", () => {
  const top = join(import.meta.dirname, "..", "..");
  const lines = readFileSync(join(top, EARLY_FUNCTIONS), "utf8").trimEnd().split("\n");
  const isThere = (line: string) => {
    const [module = "", name] = line.split(" ");
    if (!existsSync(join(top, module))) return false;
    return name === undefined || declares(readFileSync(join(top, module), "utf8"), name);
  };
  expect(lines.filter((it) => !isThere(it))).toEqual([]);
  expect(lines.length).toBeGreaterThan(300);
});
