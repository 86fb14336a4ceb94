import { expect, test } from "vitest";
import { compareVersions } from "./version-order.ts";

// The order is rpm's: `rpm --eval '%{lua:print(rpm.vercmp("1.10", "1.9"))}'`.
test.each([
  ["1.10", "1.9", 1],
  ["42.20260101.0", "42.20251231.3", 1],
  ["1.0", "1.0.1", -1],
  ["1.0~rc.1", "1.0", -1],
  ["1.0a", "1.0", 1],
  ["1.0.a", "1.0.1", -1],
  ["1.05", "1.5", 0],
  ["1_2", "1.2", 0],
  ["b", "a", 1],
  ["99999999999999999999", "99999999999999999998", 1],
])("%s against %s: %i", (a, b, want) => {
  expect(Math.sign(compareVersions(a, b))).toBe(want);
  expect(Math.sign(compareVersions(b, a)) + want).toBe(0);
});
