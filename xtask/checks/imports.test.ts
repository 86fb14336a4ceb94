import { expect, test } from "vitest";
import { findCircles, findImportViolations, findProgramStarts } from "./imports.ts";

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
    path: "src/commands/install/a.ts",
    text: 'import { b } from "../b.ts";',
    want: ["src/commands/install/a.ts: src/commands/install may not import src/commands/b.ts"],
  },
  {
    path: "src/pull/a.ts",
    text: 'import { execa } from "execa";',
    want: ["src/pull/a.ts: src/pull may not import execa"],
  },
  ...["node:child_process", "child_process"].map((module) => ({
    path: "src/programs/disk/a.ts",
    text: `import { spawn } from "${module}";`,
    want: [`src/programs/disk/a.ts: src/programs/disk may not import ${module}`],
  })),
  {
    path: "xtask/rpm/a.ts",
    text: 'import { spawn } from "node:child_process";',
    want: ["xtask/rpm/a.ts: xtask/rpm may not import node:child_process"],
  },
  { path: "src/system/feed.ts", text: 'import { spawn } from "node:child_process";', want: [] },
  { path: "bench/a.ts", text: 'import { spawn } from "node:child_process";', want: [] },
  {
    path: "src/system/a.ts",
    text: 'import ffi from "node:ffi";',
    want: ["src/system/a.ts: src/system may not import node:ffi"],
  },
  {
    path: "src/system/a.ts",
    text: 'process.getBuiltinModule("node:ffi")',
    want: ["src/system/a.ts: src/system may not import node:ffi"],
  },
  { path: "src/native/a.ts", text: 'process.getBuiltinModule("node:ffi")', want: [] },
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
    path: "src/pull/fetch/a.ts",
    text: 'import { c } from "../store/c.ts";',
    want: ["src/pull/fetch/a.ts: src/pull/fetch may not import src/pull/store/c.ts"],
  },
  {
    path: "src/pull/plan/a.ts",
    text: 'import { pull } from "../pull.ts";',
    want: ["src/pull/plan/a.ts: src/pull/plan may not import src/pull/pull.ts"],
  },
  {
    path: "xtask/elf/a.ts",
    text: 'import { c } from "../build/c.ts";',
    want: ["xtask/elf/a.ts: xtask/elf may not import xtask/build/c.ts"],
  },
  {
    path: "src/nowhere/a.ts",
    text: "",
    want: ["src/nowhere/a.ts: src/nowhere is not in the table of folders"],
  },
  {
    path: "src/host/a.ts",
    text: 'import { c } from "../image/c.ts";\nimport { BootcError } from "../errors.ts";',
    want: [],
  },
  {
    path: "src/commands/ostree-container/image/a.ts",
    text: 'import { c } from "../planned-pull.ts";',
    want: [],
  },
  { path: "src/pull/plan/a.ts", text: 'import { r } from "../request.ts";', want: [] },
  { path: "src/system/run.ts", text: 'await import("execa")', want: [] },
  { path: "bench/a.ts", text: 'import { c } from "../tests/repo/c.ts";', want: [] },
  { path: "bench/pulls/a.ts", text: 'import { c } from "../../tests/repo/c.ts";', want: [] },
])("$path: $text", ({ path, text, want }) => {
  expect(findImportViolations({ path, text })).toEqual(want);
});

test.each([
  { path: "src/pull/a.ts", text: 'await ctx.run("true", []);', isFound: true },
  { path: "src/deploy/bound-images/a.ts", text: 'await ctx.read("true", []);', isFound: true },
  {
    path: "src/install/a.ts",
    text: 'await withSignal(ctx, signal).run("true", []);',
    isFound: true,
  },
  { path: "src/install/a.ts", text: 'await cleanupContext(ctx).run("true", []);', isFound: true },
  { path: "src/programs/disk/a.ts", text: 'await ctx.run("true", []);', isFound: false },
  { path: "src/process/a.ts", text: 'await ctx.run("true", []);', isFound: false },
  { path: "src/system/a.ts", text: 'await ctx.run("true", []);', isFound: false },
  { path: "src/pull/a.test.ts", text: 'await ctx.run("true", []);', isFound: false },
  { path: "xtask/a.ts", text: 'await ctx.run("true", []);', isFound: false },
  { path: "src/pull/a.ts", text: "await step.run(); spool.read(content);", isFound: false },
])("$path starts a program by `$text`: $isFound", ({ path, text, isFound }) => {
  const want = `${path}:2: only src/programs, src/process and src/system may start programs`;
  expect(findProgramStarts({ path, text: `\n${text}` })).toEqual(isFound ? [want] : []);
});

const imports = (path: string, ...names: readonly string[]) => ({
  path,
  text: names.map((it) => `import {} from "${it}";`).join("\n"),
});

test.each([
  { title: "no circle", files: [imports("src/a.ts", "./b.ts"), imports("src/b.ts")], want: [] },
  {
    title: "two files",
    files: [imports("src/b.ts", "./a.ts"), imports("src/a.ts", "./b.ts")],
    want: ["src/a.ts: a circle of imports: src/a.ts -> src/b.ts -> src/a.ts"],
  },
  {
    title: "the shortest way round, through folders",
    files: [
      imports("src/a.ts", "./x/b.ts", "./x/long.ts"),
      imports("src/x/long.ts", "./longer.ts"),
      imports("src/x/longer.ts", "../a.ts"),
      imports("src/x/b.ts", "../a.ts"),
    ],
    want: ["src/a.ts: a circle of imports: src/a.ts -> src/x/b.ts -> src/a.ts"],
  },
  {
    title: "two circles apart",
    files: [
      imports("src/a.ts", "./b.ts"),
      imports("src/b.ts", "./a.ts", "./c.ts"),
      imports("src/c.ts", "./d.ts"),
      imports("src/d.ts", "./c.ts"),
    ],
    want: [
      "src/c.ts: a circle of imports: src/c.ts -> src/d.ts -> src/c.ts",
      "src/a.ts: a circle of imports: src/a.ts -> src/b.ts -> src/a.ts",
    ],
  },
])("circles: $title", ({ files, want }) => {
  expect(findCircles(files)).toEqual(want);
});
