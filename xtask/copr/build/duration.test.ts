import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

test.each([
  ["30s", 30_000],
  ["90m", 5_400_000],
  ["2h", 7_200_000],
  ["0.5", 500],
  ["10", 10_000],
])("%s is %i ms", (text, want) => {
  expect(parseDuration(text, "--x")).toBe(want);
});

test.each(["", "soon", "-1s", "1d", "1h30m"])("`%s` is not a duration", (text) => {
  expect(() => parseDuration(text, "--x")).toThrow(`--x: \`${text}\` is not a duration`);
});
