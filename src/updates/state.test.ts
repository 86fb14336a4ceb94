import fc from "fast-check";
import { expect, test } from "vitest";
import {
  EMPTY_STATE,
  formatState,
  parseUpdatesState,
  type UpdatesState,
  withEvent,
  withFailure,
} from "./state.ts";

const FULL: UpdatesState = {
  pause: { sinceMs: 1, untilMs: 2, reason: "x" },
  held: [
    { digest: "sha256:a", sinceMs: 3 },
    { digest: "sha256:c", sinceMs: 3, reason: "`ssh.service` has failed" },
  ],
  health: {
    atMs: 3,
    outcome: "went-back",
    digest: "sha256:c",
    version: "41",
    reason: "`ssh.service` has failed",
    details: ["line"],
  },
  checkedMs: 4,
  found: { digest: "sha256:b", version: "42", annotations: { a: "b" } },
  failure: { atMs: 5, kind: "network", message: "away" },
  block: { step: "reboot", rule: "window", reason: "closed", untilMs: 6 },
  warning: { digest: "sha256:b", atMs: 7 },
  running: "sha256:a",
  lockedMs: 8,
  counts: { found: 1 },
  history: [{ atMs: 9, event: "found", text: "42" }],
};

test.each([EMPTY_STATE, FULL])("a state is read as it was written", (state) => {
  expect(parseUpdatesState(formatState(state))).toEqual(state);
});

test("the history keeps the newest 300 events, and the counts all", () => {
  let state = EMPTY_STATE;
  for (let atMs = 0; atMs < 400; atMs += 1)
    state = withEvent(state, { atMs, event: "found", text: "" });
  expect(state.history).toHaveLength(300);
  expect(state.history.at(-1)?.atMs).toBe(399);
  expect(state.counts).toEqual({ found: 400 });
});

test("the same failure again is counted, and is one event", () => {
  const failure = { kind: "network", message: "away" };
  const once = withFailure(EMPTY_STATE, { atMs: 1, ...failure });
  const twice = withFailure(once, { atMs: 2, ...failure });
  expect(twice.history).toHaveLength(1);
  expect(twice.counts).toEqual({ "failed-network": 2 });
  expect(twice.failure?.atMs).toBe(2);
});

test("a damaged state is refused with an explanation, or read as a right one", () => {
  const text = formatState(FULL);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: text.length - 1 }),
      fc.oneof(fc.constantFrom("", "{", "}", '"', "null", "-1", "[]", "\0"), fc.string()),
      fc.integer({ min: 0, max: 40 }),
      (at, instead, length) => {
        const damaged = text.slice(0, at) + instead + text.slice(at + length);
        try {
          parseUpdatesState(formatState(parseUpdatesState(damaged)));
        } catch (error) {
          expect(String(error)).toContain("the state of automatic updates");
        }
      },
    ),
    { numRuns: 500 },
  );
});
