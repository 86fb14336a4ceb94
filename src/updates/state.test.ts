import fc from "fast-check";
import { expect, test } from "vitest";
import {
  EMPTY_STATE,
  formatState,
  parseUpdatesState,
  type UpdatesState,
  withCheck,
  withEvent,
  withFailedCheck,
  withFailure,
  withRunning,
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
  behindMs: 4,
  failure: { atMs: 5, kind: "network", message: "away" },
  block: { step: "reboot", rule: "window", reason: "closed", untilMs: 6 },
  warning: { digest: "sha256:b", atMs: 7 },
  running: "sha256:a",
  runningMs: 2,
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

test("a state of an older program is read, and what it does not know is not known", () => {
  const { behindMs, runningMs, ...older } = FULL;
  const state = parseUpdatesState(JSON.stringify({ version: 1, ...older }));
  expect(state).toEqual({ ...older, behindMs: undefined, runningMs: undefined });
  expect([behindMs, runningMs]).toEqual([4, 2]);
});

test("since when a host is behind: from the first newer image on, until it runs another one", () => {
  const image = (digest: string) => ({ digest, annotations: {} });
  const check = (state: UpdatesState, nowMs: number, digest?: string) =>
    withCheck(state, { found: digest === undefined ? undefined : image(digest), nowMs });
  const current = check(EMPTY_STATE, 10);
  expect(current).toMatchObject({ checkedMs: 10, behindMs: undefined });
  const behind = check(check(current, 20, "b"), 30, "c");
  expect(behind).toMatchObject({ checkedMs: 30, behindMs: 20, found: { digest: "c" } });
  const updated = withRunning(behind, { digest: "b", nowMs: 40 });
  expect(updated).toMatchObject({ running: "b", runningMs: 40, behindMs: 40 });
  expect(check(updated, 50, "c").behindMs).toBe(40);
  expect(withRunning(behind, { digest: "c", nowMs: 40 }).behindMs).toBeUndefined();
  expect(check(behind, 60).behindMs).toBeUndefined();
});

test("checks are counted, whether the registry answers or not", () => {
  const state = withFailedCheck(withCheck(EMPTY_STATE, { found: undefined, nowMs: 1 }));
  expect(state.counts).toEqual({ checks: 2, "checks-failed": 1 });
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
