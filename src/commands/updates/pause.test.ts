import { expect, test } from "vitest";
import { EMPTY_STATE } from "../../updates/state.ts";
import { withPause } from "./pause.ts";

test("to move the end of a pause is not an event", () => {
  const first = withPause(EMPTY_STATE, { sinceMs: 1000, untilMs: 5000, reason: "a" }, "paused");
  const moved = withPause(first, { sinceMs: 2000, untilMs: 6000, reason: "a" }, "paused");
  expect(moved.history).toEqual(first.history);
  expect(moved.pause).toEqual({ sinceMs: 1000, untilMs: 6000, reason: "a" });
  const again = withPause(moved, { sinceMs: 7000, reason: "b" }, "paused");
  expect(again.history).toHaveLength(2);
  expect(again.pause?.sinceMs).toBe(7000);
});
