import { expect, test } from "vitest";
import { makeCommand, requireOne } from "./emulate.ts";

test("make gets what COPR gives it, below a root that can do little", () => {
  const { program, args } = makeCommand({
    clone: "/c",
    outdir: "/o",
    subdirectory: "rpm",
    spec: "bootc.spec",
  });
  const words = [program, ...args];
  expect(words.slice(words.indexOf("setpriv"))).toEqual([
    "setpriv",
    "--bounding-set",
    "-all,+chown,+dac_override,+fowner,+fsetid",
    "--inh-caps",
    "-all",
    "--",
    "make",
    "-f",
    "/c/.copr/Makefile",
    "srpm",
    "outdir=/o",
    "spec=/c/rpm/bootc.spec",
  ]);
});

test("without a spec its variable is the folder", () => {
  const { args } = makeCommand({ clone: "/c", outdir: "/o", subdirectory: "", spec: "" });
  expect(args.at(-1)).toBe("spec=/c");
});

test("there has to be exactly one source RPM", () => {
  expect(requireOne(["a.src.rpm", "build.log"])).toBe("a.src.rpm");
  expect(() => requireOne(["build.log"])).toThrow("left 0 source RPMs");
  expect(() => requireOne(["a.src.rpm", "b.src.rpm"])).toThrow("left 2 source RPMs");
});
