import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatTexts } from "../licenses.ts";
import type { VendoredPackage, VendorManifest } from "../vendor/manifest.ts";
import type { Inside } from "./inside.ts";
import { PARTS_INSIDE, PARTS_UNLISTED, requireKnownParts } from "./runtime.ts";
import { combineExpressions, formatExpression, formatLicense, parseExpression } from "./spdx.ts";

test.each([
  { text: "MIT", want: "MIT" },
  { text: "(MIT)", want: "MIT" },
  { text: "MIT OR Apache-2.0 AND ISC", want: "MIT OR Apache-2.0 AND ISC" },
  { text: "(MIT OR Apache-2.0) AND ISC", want: "(MIT OR Apache-2.0) AND ISC" },
  { text: "((MIT)AND(ISC))", want: "MIT AND ISC" },
])("$text reads as $want", ({ text, want }) => {
  expect(formatExpression(parseExpression("x", text))).toBe(want);
});

test.each([
  { text: "", want: "the licence of x is not an SPDX expression: ``" },
  { text: "MIT AND", want: "is not an SPDX expression" },
  { text: "(MIT", want: "is not an SPDX expression" },
  { text: "MIT ISC", want: "is not an SPDX expression: `MIT ISC`" },
  { text: "mit", want: "is not an SPDX expression" },
  {
    text: "Apache-2.0 WITH LLVM-exception",
    want: "`Apache-2.0 WITH LLVM-exception`, which nobody",
  },
  { text: "Zlib+", want: "x is under `Zlib+`, which nobody has examined" },
  { text: "SEE LICENSE IN x", want: "is not an SPDX expression" },
  { text: "GPL-3.0-only OR MIT", want: "x is under `GPL-3.0-only`, which nobody has examined" },
])("$text: $want", ({ text, want }) => {
  expect(() => parseExpression("x", text)).toThrow(want);
});

test("ours first, then every other licence once and sorted, alternatives in parentheses", () => {
  const of = (text: string) => parseExpression("x", text);
  const others = ["Zlib", "MIT AND ISC", "ISC", "MIT OR Apache-2.0", "Apache-2.0 OR MIT"].map(of);
  expect(combineExpressions(of("Apache-2.0 OR MIT"), others)).toBe(
    "(Apache-2.0 OR MIT) AND (MIT OR Apache-2.0) AND ISC AND MIT AND Zlib",
  );
});

const RUNTIME_LICENSE = readFileSync(
  join(import.meta.dirname, `../../node_modules/node-linux-${process.arch}/LICENSE`),
  "utf8",
);

test("the tables know every part that the pinned runtime's LICENSE names", () => {
  requireKnownParts(RUNTIME_LICENSE);
});

test("a part that comes or goes is reported", () => {
  const text = RUNTIME_LICENSE.replace("- zlib, located at", "- zlib-rs, located at");
  expect(() => requireKnownParts(text)).toThrow(
    "the runtime's LICENSE has changed: `zlib-rs` is new, `zlib` is gone",
  );
});

test("every part of the runtime with a version of its own is in a table", () => {
  const known = [...PARTS_INSIDE, ...PARTS_UNLISTED].map((it) => it.key);
  // Numbers of interfaces and of data, not of parts.
  const numbers = ["node", "modules", "napi", "cldr", "tz", "unicode"];
  const unknown = Object.keys(process.versions).filter(
    (it) => !numbers.includes(it) && !known.includes(it),
  );
  expect(unknown).toEqual([]);
});

function packageOf(some: Partial<VendoredPackage>): VendoredPackage {
  const { name = "a", version = "1.0.0" } = some;
  return {
    name,
    version,
    kind: "normal",
    paths: [`node_modules/${name}`],
    file: `vendor/${name}.tgz`,
    sizeBytes: 1,
    integrity: "sha512-AAAA",
    filteredFiles: [],
    filteredBytes: 0,
    license: "MIT",
    licenseFiles: [`licenses/${name}/LICENSE`],
    ...some,
  };
}

function manifestOf(...packages: readonly VendoredPackage[]): VendorManifest {
  return {
    formatVersion: 1,
    name: "x",
    version: "1",
    platforms: [],
    keepDepKinds: "all",
    packages,
  };
}

test("what only builds is not inside", () => {
  const manifest = manifestOf(
    packageOf({}),
    packageOf({ name: "b", kind: "build", license: "0BSD" }),
  );
  expect(formatLicense("MIT", manifest)).not.toContain("0BSD");
});

test("all packages without licence or text are reported at once", () => {
  const manifest = manifestOf(
    packageOf({ license: "" }),
    packageOf({ name: "b", licenseFiles: [] }),
    packageOf({ name: "c", kind: "build", license: "" }),
  );
  expect(() => formatLicense("MIT", manifest)).toThrow(
    "`a@1.0.0` has no licence, `b@1.0.0` has no licence text",
  );
});

test("the same text is written once, under all its packages", async () => {
  const manifest = manifestOf(packageOf({}), packageOf({ name: "b" }), packageOf({ name: "c" }));
  const readText = async (path: string) => (path.includes("/c/") ? "other\r\n" : "same\n");
  const inside: Inside = {
    project: {},
    lock: { lockfileVersion: 3, packages: {} },
    manifest,
    runtimeText: "node's",
    readText,
  };
  const rule = "=".repeat(80);
  expect(await formatTexts("MIT", inside, false)).not.toContain("node's");
  expect(await formatTexts("MIT", inside, true)).toBe(
    `The executable as a whole: MIT\n\n${rule}\na 1.0.0 (MIT)\nb 1.0.0 (MIT)\n\nsame\n\n` +
      `${rule}\nc 1.0.0 (MIT)\n\nother\n\n${rule}\nNode.js and what it is made of\n\nnode's\n`,
  );
});
