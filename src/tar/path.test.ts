import { expect, test } from "vitest";
import { normalizePath } from "./path.ts";

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

test("a zero byte is refused, since what follows it would be lost", () => {
  expect(() => normalizePath("usr/a\0b")).toThrow("a path with a zero byte");
});

test.each([
  ["x".repeat(255), true],
  ["x".repeat(256), false],
  ["ž".repeat(127), true],
  ["ž".repeat(128), false],
  [`${"x".repeat(255)}/`.repeat(16), true],
  [`${"x".repeat(255)}/`.repeat(15).concat("a/", "x".repeat(254)), false],
])("a name has at most 255 bytes, and a path 4095: %#", (path, isAccepted) => {
  if (isAccepted) expect(normalizePath(path)).toBe(path.replace(/\/$/, ""));
  else expect(() => normalizePath(path)).toThrow("too long");
});
