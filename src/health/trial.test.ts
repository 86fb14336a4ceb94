import fc from "fast-check";
import { expect, test } from "vitest";
import { EMPTY_STATE, formatState, parseUpdatesState } from "../updates/state.ts";
import { describeHealth, formatHealthMotd } from "./describe.ts";
import { type HealthState, STATES } from "./states.ts";
import { type HealthVerdict, NO_TRIAL, parseTrial, type TrialEnd, withTrialEnd } from "./trial.ts";

const DIGEST = "sha256:b";
const END: TrialEnd = {
  nowMs: 1_000_000,
  state: "returned",
  verdict: "good",
  isProved: false,
  image: { digest: DIGEST, version: "2" },
  trialReason: "`ssh.service` has failed\n  line\n\n",
  ownReason: "`a.service` has failed\n",
};

test("a trial is read as the script writes it", () => {
  const text =
    "state=trying\nnew=ostree/deploy/x/deploy/1.0\nold=ostree/deploy/x/deploy/2.0\n" +
    "starts=1\ntries=2\nlimit=600\nloader=grub-once\n";
  expect(parseTrial(text)).toEqual({
    state: "trying",
    newDeployment: "ostree/deploy/x/deploy/1.0",
    oldDeployment: "ostree/deploy/x/deploy/2.0",
    starts: 1,
    loader: "grub-once",
  });
});

test("a damaged trial is none, or one", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(STATES).toContain(parseTrial(text).state);
    }),
  );
  expect(parseTrial("state=other\nnew=x\n")).toEqual(NO_TRIAL);
});

test.each<[HealthState, HealthVerdict, string | undefined, boolean]>([
  ["returned", "good", "went-back", true],
  ["returned", "bad", "both-bad", true],
  ["stuck", "bad", "stuck", false],
  ["stuck", "good", undefined, false],
  ["none", "bad", "unhealthy", false],
  ["none", "good", undefined, false],
  ["armed", "bad", undefined, false],
  ["trying", "bad", undefined, false],
  ["returning", "bad", undefined, false],
])("in state %s, a system found %s: outcome %s", (state, verdict, outcome, isHeld) => {
  const after = withTrialEnd(EMPTY_STATE, { ...END, state, verdict });
  expect(after.health?.outcome).toBe(outcome);
  expect(after.held.map((it) => it.digest)).toEqual(isHeld ? [DIGEST] : []);
  expect(parseUpdatesState(formatState(after))).toEqual(after);
});

test("the reasons of both systems are kept apart", () => {
  const { health, held } = withTrialEnd(EMPTY_STATE, { ...END, verdict: "bad" });
  expect(health).toMatchObject({
    reason: "`ssh.service` has failed",
    details: ["  line", "the previous system:", "`a.service` has failed"],
  });
  expect(held[0]?.reason).toBe("`ssh.service` has failed");
});

test("a good end clears what was known, and an image stays held once", () => {
  const once = withTrialEnd(EMPTY_STATE, END);
  const twice = withTrialEnd(once, END);
  expect(twice.held).toHaveLength(1);
  expect(withTrialEnd(twice, { ...END, state: "none", isProved: true })).toMatchObject({
    health: undefined,
    held: [{ digest: DIGEST }],
  });
  expect(withTrialEnd(EMPTY_STATE, { ...END, state: "none" })).toBe(EMPTY_STATE);
});

test("people read what happened, and what they can do", () => {
  const { health } = withTrialEnd(EMPTY_STATE, { ...END, trialReason: "" });
  if (health === undefined) throw new Error("no record");
  expect(describeHealth(health)).toBe(
    "the update to 2 sha256:b was undone at 1970-01-01T00:16:40Z: no reason is known",
  );
  expect(formatHealthMotd(health)).toContain("`bootc updates release`");
});

test("a good start of the old system does not explain an undone update away", () => {
  const undone = withTrialEnd(EMPTY_STATE, END);
  const good: TrialEnd = { ...END, state: "none" };
  expect(withTrialEnd(undone, good).health?.outcome).toBe("went-back");
  expect(withTrialEnd({ ...undone, held: [] }, good).health).toBeUndefined();
  expect(withTrialEnd(undone, { ...good, isProved: true }).health).toBeUndefined();
});

test("a reason and a version cannot command a terminal", () => {
  const bad = withTrialEnd(EMPTY_STATE, {
    ...END,
    image: { digest: DIGEST, version: "2\u001b[1m" },
    trialReason: "a\u001b[2J",
  });
  expect(bad.health && describeHealth(bad.health)).toContain("2\\u001b[1m");
  expect(bad.health && describeHealth(bad.health)).toContain("a\\u001b[2J");
});
