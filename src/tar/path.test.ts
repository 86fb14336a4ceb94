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
