import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { withLazyBuiltins } from "./lazy-builtins.ts";

/** Runs a bundle; what it returns, and which modules it loaded, in order. */
function runBundle(text: string): { readonly value: unknown; readonly loaded: readonly string[] } {
  const loaded: string[] = [];
  const real = createRequire(import.meta.url);
  const require = (name: string) => {
    if (!loaded.includes(name)) loaded.push(name);
    return real(name);
  };
  const toEsm = (it: object) => Object.assign(Object.create(it), { default: it });
  return { value: new Function("require", "__toESM", text)(require, toEsm), loaded };
}

const BUNDLE = `"use strict";
var import_node_path = require("node:path"), import_node_crypto2 = require("node:crypto");
var import_node_os = __toESM(require("node:os"), 1);
function id() { return (0, import_node_crypto2.createHash)("sha256"); }
return [import_node_path.basename("/a/b"), import_node_os.default.EOL, import_node_os.EOL];
`;

test("a module is loaded when it is used, and only then", () => {
  const { text, count } = withLazyBuiltins(BUNDLE);
  expect(count).toBe(3);
  expect(runBundle(text)).toEqual({ value: ["b", "\n", "\n"], loaded: ["node:path", "node:os"] });
});

test("without it, all of them are loaded", () => {
  expect(runBundle(BUNDLE).loaded).toEqual(["node:path", "node:crypto", "node:os"]);
});

test("the bundle stays strict", () => {
  expect(withLazyBuiltins(BUNDLE).text.startsWith('"use strict";\n')).toBe(true);
});

test.each([
  'var import_x = require("./local.js");',
  'var node_process = require("process");',
  'console.log("import_x = require(node:fs)");',
])("%s is left alone", (line) => {
  expect(withLazyBuiltins(line)).toMatchObject({ count: 0 });
  expect(withLazyBuiltins(line).text).toContain(line);
});
