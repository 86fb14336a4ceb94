import { expect, test } from "vitest";
import { normalizePath, placePath } from "./placement.ts";

const strict = { allowsNonUsr: false, retainsVar: true };

test.each([
  ["./usr/bin/", "usr/bin"],
  ["/usr//./bin", "usr/bin"],
  ["./", ""],
  [".", ""],
  ["..hidden", "..hidden"],
])("%s is %s", (path, want) => {
  expect(normalizePath(path)).toBe(want);
});

test.each(["..", "usr/../x", "/..", `usr/${"x".repeat(256)}`, "x/".repeat(2100)])(
  "%s is refused",
  (path) => {
    expect(() => normalizePath(path)).toThrow("the layer's tar has");
  },
);

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
