import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { findProgram, requirePrograms } from "./find-program.ts";

let top: string;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), "bootc-path-"));
  for (const [dir, mode] of [
    ["first", 0o644],
    ["second", 0o755],
    ["third", 0o755],
  ] as const) {
    mkdirSync(join(top, dir));
    writeFileSync(join(top, dir, "frob"), "#!/bin/sh\n");
    chmodSync(join(top, dir, "frob"), mode);
  }
});
afterAll(() => rmSync(top, { recursive: true }));

test("the first folder where it can be started has it", () => {
  const path = ["first", "second", "third"].map((it) => join(top, it)).join(":");
  expect(findProgram("frob", path)).toBe(join(top, "second/frob"));
});

test.each([
  ["a folder below the current one", () => relative(process.cwd(), join(top, "second"))],
  ["the current folder by its name", () => `.:${relative(process.cwd(), join(top, "second"))}`],
  ["nothing between two colons", () => "::"],
  ["a folder without it", () => top],
])("%s is not looked at", (_, path) => {
  expect(() => findProgram("frob", path())).toThrow("`frob`: not found");
});

test("the current folder is not looked at, whatever lies there", () => {
  const before = process.cwd();
  process.chdir(join(top, "second"));
  try {
    for (const path of ["", ".", ":", ".:"]) {
      expect(() => findProgram("frob", path)).toThrow("`frob`: not found");
    }
  } finally {
    process.chdir(before);
  }
});

test("all programs that are missing are named at once", () => {
  const { ctx } = scriptedContext(top, [], { env: { PATH: `${top}/second` } });
  requirePrograms(ctx, ["frob"]);
  expect(() => requirePrograms(ctx, ["zip", "frob", "zap"])).toThrow("`zip`, `zap`: not found");
});
