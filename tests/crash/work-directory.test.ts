import { expect, test } from "vitest";
import { isLeft } from "./work-directory.ts";

test("only folders of runs that have ended are removed", () => {
  // Numbers of processes are smaller.
  expect(isLeft("bootc-crash-99999999-abc")).toBe(true);
  expect(isLeft(`bootc-crash-${process.pid}-abc`)).toBe(false);
  expect(isLeft("bootc-crash-abc")).toBe(false);
  expect(isLeft("other-99999999-abc")).toBe(false);
});
