import { expect, test } from "vitest";
import { DEFAULT_SETTINGS, type Settings } from "./config/settings.ts";
import { dueStep, type HostStand, judgeStep, type Situation } from "./decide.ts";
import { EMPTY_STATE, type UpdatesState } from "./state.ts";

const NOW = Date.parse("2026-06-07T12:00:00Z"); // a Sunday
const A = { digest: "sha256:a", version: "1" };
const B = { digest: "sha256:b", version: "2" };
const found = (annotations: Readonly<Record<string, string>> = {}) => ({ ...B, annotations });
const staged = (isLocked: boolean, image = B) => ({ ...image, isLocked });

interface Parts {
  readonly settings?: Partial<Settings>;
  readonly state?: Partial<UpdatesState>;
  readonly host?: Partial<HostStand>;
  readonly mistakes?: readonly string[];
}

const situation = ({ settings, state, host, mistakes = [] }: Parts): Situation => ({
  nowMs: NOW,
  settings: { ...DEFAULT_SETTINGS, ...settings },
  mistakes,
  state: { ...EMPTY_STATE, ...state },
  host: { booted: A, staged: undefined, ...host },
  machineId: "m",
  localZone: "UTC",
});

test.each<readonly [string, Parts, string | undefined]>([
  ["nothing was found", {}, undefined],
  ["an image was found", { state: { found: found() } }, "download"],
  ["it is downloaded", { state: { found: found() }, host: { staged: staged(true) } }, "finalize"],
  ["it is applied", { state: { found: found() }, host: { staged: staged(false) } }, "reboot"],
  ["it is running", { state: { found: found() }, host: { booted: B } }, undefined],
  [
    "a newer image is found while one is staged",
    { state: { found: found() }, host: { staged: staged(false, { digest: "c", version: "1" }) } },
    "download",
  ],
  [
    "a person has staged an image, and nothing newer is known",
    { host: { staged: staged(false) } },
    "reboot",
  ],
  ["a person has only downloaded an image", { host: { staged: staged(true) } }, undefined],
])("%s", (_, parts, want) => {
  expect(dueStep(situation(parts))).toBe(want);
});

const periodic: Partial<Settings> = {
  "updates.strategy": "periodic",
  "updates.periodic.jitter_minutes": 0,
  "updates.periodic.window": [{ days: ["Mon"], startMinute: 60, lengthMinutes: 60 }],
};
const MONDAY = Date.parse("2026-06-08T01:00:00Z");
const ready = { state: { found: found() }, host: { staged: staged(false) } };

test.each<readonly [string, Parts, "check" | "download" | "reboot", object | undefined]>([
  ["nothing is in the way", ready, "reboot", undefined],
  ["mistakes", { mistakes: ["m"] }, "check", { rule: "configuration", reason: "m" }],
  ["switched off", { settings: { "updates.enabled": false } }, "check", { rule: "enabled" }],
  ["another host", { host: { problem: "p" } }, "check", { rule: "host", reason: "p" }],
  [
    "paused",
    { ...ready, state: { pause: { sinceMs: 0, reason: "r" } } },
    "download",
    { rule: "pause", reason: "r" },
  ],
  ["paused: checks go on", { state: { pause: { sinceMs: 0, reason: "r" } } }, "check", undefined],
  [
    "paused until later",
    { state: { pause: { sinceMs: 0, untilMs: NOW + 1, reason: "r" } } },
    "download",
    { rule: "pause", untilMs: NOW + 1 },
  ],
  [
    "a pause that is over",
    { state: { pause: { sinceMs: 0, untilMs: NOW, reason: "r" } } },
    "download",
    undefined,
  ],
  [
    "held",
    { state: { found: found(), held: [{ digest: B.digest, sinceMs: 0 }] } },
    "download",
    { rule: "held" },
  ],
  [
    "held, and staged by hand",
    { host: { staged: staged(false) }, state: { held: [{ digest: B.digest, sinceMs: 0 }] } },
    "reboot",
    { rule: "held" },
  ],
  [
    "another image is held",
    { state: { found: found(), held: [{ digest: A.digest, sinceMs: 0 }] } },
    "download",
    undefined,
  ],
  [
    "the rollout is paused",
    { state: { found: found({ "org.containers.bootc.rollout.paused": "true" }) } },
    "download",
    { rule: "rollout" },
  ],
  [
    "the rollout starts later",
    { state: { found: found({ "org.containers.bootc.rollout.start": "2026-06-08T00:00:00Z" }) } },
    "download",
    { rule: "rollout", untilMs: Date.parse("2026-06-08T00:00:00Z") },
  ],
  [
    "a step that is never allowed",
    { settings: { "steps.check": "never" } },
    "check",
    { rule: "steps" },
  ],
  [
    "a closed window",
    { ...ready, settings: periodic },
    "reboot",
    { rule: "window", untilMs: MONDAY },
  ],
  ["a closed window: downloads go on", { ...ready, settings: periodic }, "download", undefined],
  [
    "downloads in windows only",
    { ...ready, settings: { ...periodic, "steps.download": "window" } },
    "download",
    { rule: "window", untilMs: MONDAY },
  ],
  [
    "windows together with a FleetLock server",
    { ...ready, settings: { ...periodic, "updates.strategy": "fleet_lock" } },
    "reboot",
    { rule: "window" },
  ],
])("%s", (_, parts, step, want) => {
  const block = judgeStep(situation(parts), step);
  if (want === undefined) expect(block).toBeUndefined();
  else expect(block).toMatchObject({ step, ...want });
});
