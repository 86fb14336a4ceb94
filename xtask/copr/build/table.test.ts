import { expect, test } from "vitest";
import { alignColumns, colorState, formatDuration, formatTime } from "./table.ts";

test("columns are as wide as their widest cell, without space at the end", () => {
  const rows = [
    ["CHROOT", "STATE", "TIME"],
    ["fedora-44-x86_64", "failed", ""],
  ];
  expect(alignColumns(rows)).toEqual([
    "CHROOT            STATE   TIME",
    "fedora-44-x86_64  failed",
  ]);
});

test.each([
  [0, "0s"],
  [59, "59s"],
  [62, "1m 02s"],
  [3600, "1h 00m"],
  [7384, "2h 03m"],
  [-3, "0s"],
])("%i seconds are %s", (seconds, want) => {
  expect(formatDuration(1000, 1000 + seconds)).toBe(want);
});

test("what has not begun has no time", () => {
  expect(formatDuration(undefined, 5)).toBe("");
  expect(formatTime(undefined)).toBe("");
  expect(formatTime(1_700_000_000)).toBe("2023-11-14 22:13:20Z");
});

test("states that people look for have a colour, others have none", () => {
  expect(colorState("a  failed", "failed")).toBe("a  \u001b[31mfailed\u001b[0m");
  expect(colorState("a  pending", "pending")).toBe("a  pending");
});
