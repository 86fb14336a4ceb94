import { expect, test } from "vitest";
import { placePath } from "./placement.ts";

const strict = { allowsNonUsr: false, retainsVar: true };

test.each([
  ["usr/bin/x", { kind: "kept", path: "usr/bin/x" }],
  ["", { kind: "kept", path: "" }],
  ["etc", { kind: "kept", path: "usr/etc" }],
  ["etc/passwd", { kind: "kept", path: "usr/etc/passwd" }],
  ["etcetera", { kind: "dropped", counted: "etcetera" }],
  ["var/lib/x", { kind: "kept", path: "var/lib/x" }],
  ["run", { kind: "kept", path: "run" }],
  ["run/somefile", { kind: "dropped", counted: "somefile" }],
  ["tmp/a/b", { kind: "dropped", counted: "a" }],
  ["boot/x", { kind: "dropped", counted: "boot" }],
  [".wh.usr", { kind: "dropped", counted: ".wh.usr" }],
])("`%s` is placed as upstream does", (path, want) => {
  expect(placePath(path, strict)).toEqual(want);
});

test("with a writable root toplevel directories stay; without initial-var /var moves", () => {
  const filter = { allowsNonUsr: true, retainsVar: false };
  expect(placePath("boot/x", filter)).toEqual({ kind: "kept", path: "boot/x" });
  expect(placePath("var/x", filter)).toEqual({ kind: "kept", path: "usr/share/factory/var/x" });
  expect(placePath("proc/x", filter)).toEqual({ kind: "dropped", counted: "x" });
});

test("a path that becomes too long by its place is refused", () => {
  const below = "x/".repeat(2045);
  expect(placePath(`usr/${below}`, strict).kind).toBe("kept");
  expect(() => placePath(`etc/${below}`, strict)).toThrow("a path too long");
});
