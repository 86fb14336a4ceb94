import { expect, test } from "vitest";
import { parseCount } from "./count.ts";

test("a count is written in digits", () => {
  expect(parseCount("--count", "1")).toBe(1);
  expect(parseCount("--count", "020")).toBe(20);
  expect(parseCount("--seed", "0", 0)).toBe(0);
});

test.each(["", " 1", "-1", "1.5", "1e3", "0x10", "many", "NaN", "Infinity", "9".repeat(16)])(
  "%j is not one",
  (text) => {
    for (const least of [0, 1]) {
      expect(() => parseCount("--count", text, least)).toThrow(
        `--count: \`${text}\` is not a number of at least ${least}`,
      );
    }
  },
);

test("none is too few, unless it is allowed", () => {
  expect(() => parseCount("--count", "0")).toThrow("is not a number of at least 1");
});
