import fc from "fast-check";
import { expect, test } from "vitest";
import { decideRollout, parseRollout, ROLLOUT_PREFIX } from "./rollout.ts";

const START = "2026-12-01T06:00:00Z";
const START_MS = Date.parse(START);
const HOUR = 3_600_000;
const DIGEST = `sha256:${"ab".repeat(32)}`;

const annotated = (given: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(given).map(([name, it]) => [ROLLOUT_PREFIX + name, it]));
const client = (more: object = {}) => ({
  machineId: "m",
  digest: DIGEST,
  wariness: undefined,
  version: "42.1",
  ...more,
});

const MACHINES = Array.from({ length: 10_000 }, (_, i) => i.toString(16).padStart(32, "0"));

function percentAt(given: Readonly<Record<string, string>>, nowMs: number): number {
  const parsed = parseRollout(annotated(given));
  const reached = MACHINES.filter(
    (machineId) => decideRollout(parsed, client({ machineId }), nowMs).isReached,
  );
  return (reached.length / MACHINES.length) * 100;
}

test.each([0, 6, 12, 24, 36, 47, 48, 100])("linear over 48 hours: after %i hours", (hours) => {
  const percent = percentAt({ start: START, duration: "48h" }, START_MS + hours * HOUR);
  expect(Math.abs(percent - Math.min(100, (hours / 48) * 100))).toBeLessThan(3);
});

test.each([
  [-1, 0],
  [0, 1],
  [23, 1],
  [24, 25],
  [48, 60],
  [72, 100],
])("in steps: after %i hours, %i percent", (hours, want) => {
  const given = { start: START, steps: "0m=1, 24h=25, 2d=60%, 3d=100" };
  expect(Math.abs(percentAt(given, START_MS + hours * HOUR) - want)).toBeLessThan(3);
});

test("before the start, and once all is over", () => {
  expect(percentAt({ start: START, duration: "1d" }, START_MS - 1)).toBe(0);
  expect(percentAt({ start: START, duration: "1d" }, START_MS + 24 * HOUR)).toBe(100);
  expect(percentAt({ start: START }, START_MS)).toBe(100);
  expect(percentAt({ start: START, steps: "0m=50" }, START_MS + 1e6 * HOUR)).toBeLessThan(53);
});

test("another image reaches the machines in another order", () => {
  const parsed = parseRollout(annotated({ start: START, duration: "2d" }));
  const reachedBy = (digest: string) =>
    MACHINES.filter((machineId) => {
      const now = START_MS + 24 * HOUR;
      return decideRollout(parsed, client({ machineId, digest }), now).isReached;
    });
  const early = new Set(reachedBy(DIGEST));
  const both = reachedBy(`sha256:${"cd".repeat(32)}`).filter((it) => early.has(it));
  expect(Math.abs(both.length - 2500)).toBeLessThan(300);
});

test("a machine that was reached stays reached, and knows when its turn comes", () => {
  const parsed = parseRollout(annotated({ start: START, steps: "0m=10,1h=50,2h=100" }));
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: -5, max: 5 }), (machineId, hours) => {
      const nowMs = START_MS + hours * HOUR;
      const now = decideRollout(parsed, client({ machineId }), nowMs);
      if (now.isReached) {
        expect(decideRollout(parsed, client({ machineId }), nowMs + HOUR).isReached).toBe(true);
        return;
      }
      const untilMs = now.untilMs ?? 0;
      expect(decideRollout(parsed, client({ machineId }), untilMs - 1).isReached).toBe(false);
      expect(decideRollout(parsed, client({ machineId }), untilMs).isReached).toBe(true);
    }),
  );
});

test.each([
  [0, 0, true],
  [0.5, 23, false],
  [0.5, 24, true],
  [1, 47, false],
  [1, 48, true],
])("wariness %d after %i of 48 hours: %s", (wariness, hours, want) => {
  const parsed = parseRollout(annotated({ start: START, duration: "48h" }));
  const now = START_MS + hours * HOUR;
  expect(decideRollout(parsed, client({ wariness }), now).isReached).toBe(want);
});

test.each([
  [{}, "42.1", undefined],
  [{ paused: "true" }, "42.1", "the image's rollout is paused"],
  [{ paused: "false" }, "42.1", undefined],
  [{ "minimum-version": "42.1" }, "42.1", undefined],
  [
    { "minimum-version": "42.10" },
    "42.9",
    "hosts that run `42.10` or newer, and this one runs `42.9`",
  ],
  [{ "minimum-version": "42" }, undefined, "this one runs an unknown version"],
  [{ duration: "1h" }, "1", "is not understood: it has no valid start"],
  [{ start: "tomorrow" }, "1", `is not understood: \`${ROLLOUT_PREFIX}start\` has a wrong value`],
  [{ start: "2026-12-01T06:00:00" }, "1", "start` has a wrong value"],
  [{ start: START, duration: "2 weeks" }, "1", "duration` has a wrong value"],
  [{ start: START, steps: "1h=50,0h=100" }, "1", "steps` has a wrong value"],
  [{ start: START, steps: "1h=50", duration: "1h" }, "1", "it has a duration and steps"],
  [{ paused: "yes" }, "1", "paused` has a wrong value"],
  [{ pause: "true" }, "1", "pause` is not known"],
])("%j on a host with %s", (given, version, want) => {
  const decision = decideRollout(parseRollout(annotated(given)), client({ version }), START_MS);
  if (want === undefined) expect(decision).toEqual({ isReached: true });
  else expect(decision).toMatchObject({ isReached: false, reason: expect.stringContaining(want) });
});

test("annotations of other tools are left alone", () => {
  expect(parseRollout({ "org.opencontainers.image.version": "1" })).toBeUndefined();
});
