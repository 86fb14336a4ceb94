import { expect, test } from "vitest";
import { findImportViolations } from "./tidy.ts";

test.each([
  {
    path: "src/host/spec.ts",
    text: 'import { a } from "../programs/ostree.ts";',
    want: ["src/host/spec.ts: src/host may not import src/programs/ostree.ts"],
  },
  {
    path: "src/commands/a.ts",
    text: 'import { b } from "./b.ts";',
    want: ["src/commands/a.ts: src/commands may not import src/commands/b.ts"],
  },
  {
    path: "src/pull/a.ts",
    text: 'import { execa } from "execa";',
    want: ["src/pull/a.ts: src/pull may not import execa"],
  },
  {
    path: "src/host/a.ts",
    text: 'const b = await import("../system/run.ts");',
    want: ["src/host/a.ts: src/host may not import src/system/run.ts"],
  },
  {
    path: "src/host/a.ts",
    text: 'import { c } from "../testing/c.ts";',
    want: ["src/host/a.ts: src/host may not import src/testing/c.ts"],
  },
  {
    path: "src/host/a.ts",
    text: 'import { c } from "../image/c.ts";\nimport { BootcError } from "../errors.ts";',
    want: [],
  },
  { path: "src/system/run.ts", text: 'await import("execa")', want: [] },
])("$path: $text", ({ path, text, want }) => {
  expect(findImportViolations(path, text)).toEqual(want);
});
