// The rollout that an image describes in its annotations, and whether it has reached this machine.

import { shareOf } from "./share.ts";
import { compareVersions } from "./version-order.ts";

/** All annotations of a rollout begin with this. */
export const ROLLOUT_PREFIX = "org.containers.bootc.rollout.";

export interface Rollout {
  readonly startMs: number | undefined;
  readonly durationMs: number | undefined;
  /** Ascending in time: from each moment after the start on, the percentage of machines. */
  readonly steps: readonly RolloutStep[];
  readonly isPaused: boolean;
  /** Machines with an older version have to update to something else first. */
  readonly minimumVersion: string | undefined;
}

export interface RolloutStep {
  readonly afterMs: number;
  readonly percent: number;
}

/** Undefined: the image does not describe a rollout. Problems: nobody can know what is meant. */
export type ParsedRollout =
  | undefined
  | { readonly kind: "rollout"; readonly rollout: Rollout }
  | { readonly kind: "mistaken"; readonly problem: string };

type Annotations = Readonly<Record<string, string>>;

export function parseRollout(annotations: Annotations): ParsedRollout {
  const found = Object.entries(annotations).filter(([name]) => name.startsWith(ROLLOUT_PREFIX));
  if (found.length === 0) return undefined;
  const given = new Map(found.map(([name, it]) => [name.slice(ROLLOUT_PREFIX.length), it.trim()]));
  const problems = [...given.keys()].flatMap((it) =>
    KNOWN.includes(it) ? [] : [`\`${ROLLOUT_PREFIX}${it}\` is not known`],
  );
  const read = <T>(name: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = given.get(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`\`${ROLLOUT_PREFIX}${name}\` has a wrong value`);
    return value;
  };
  const rollout = {
    startMs: read("start", parseTime),
    durationMs: read("duration", parseDuration),
    steps: read("steps", parseSteps) ?? [],
    isPaused: read("paused", parseFlag) ?? false,
    minimumVersion: read("minimum-version", (text) => (text === "" ? undefined : text)),
  };
  const isTimed = rollout.durationMs !== undefined || rollout.steps.length > 0;
  if (isTimed && rollout.startMs === undefined) problems.push("it has no valid start");
  if (given.has("duration") && given.has("steps")) problems.push("it has a duration and steps");
  const [problem] = problems;
  return problem === undefined ? { kind: "rollout", rollout } : { kind: "mistaken", problem };
}

const KNOWN = ["start", "duration", "steps", "paused", "minimum-version"];

/** A time of RFC 3339 with its offset: without one, machines would disagree. */
function parseTime(text: string): number | undefined {
  const isWhole = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(text);
  const ms = isWhole ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `48h`, `7d`. */
function parseDuration(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] ?? 0);
}

/** `0m=5, 24h=25, 3d=100`: both numbers rise. */
function parseSteps(text: string): readonly RolloutStep[] | undefined {
  const steps = text.split(",").map((it): RolloutStep | undefined => {
    const [, after = "", percent = ""] =
      /^\s*(\S+?)\s*=\s*(\d{1,3}(?:\.\d{1,3})?)%?\s*$/.exec(it) ?? [];
    const afterMs = parseDuration(after);
    return afterMs === undefined || Number(percent) > 100
      ? undefined
      : { afterMs, percent: Number(percent) };
  });
  const known = steps.filter((it) => it !== undefined);
  const isRising = known.every((it, i) => {
    const before = known[i - 1];
    return before === undefined || (it.afterMs > before.afterMs && it.percent >= before.percent);
  });
  return known.length === steps.length && isRising ? known : undefined;
}

function parseFlag(text: string): boolean | undefined {
  return text === "true" ? true : text === "false" ? false : undefined;
}

export interface RolloutClient {
  readonly machineId: string;
  /** Of the manifest for this machine's architecture. */
  readonly digest: string;
  /** From 0 to 1, in place of a position by chance. */
  readonly wariness: number | undefined;
  /** What is running; undefined if its image does not say. */
  readonly version: string | undefined;
}

/** Whether the rollout has reached a machine. `untilMs`: when it will have, if nothing is changed. */
export type RolloutDecision =
  | { readonly isReached: true }
  | { readonly isReached: false; readonly reason: string; readonly untilMs?: number };

const REACHED = { isReached: true } as const;

export function decideRollout(
  parsed: ParsedRollout,
  client: RolloutClient,
  nowMs: number,
): RolloutDecision {
  if (parsed === undefined) return REACHED;
  if (parsed.kind === "mistaken") {
    return { isReached: false, reason: `the image's rollout is not understood: ${parsed.problem}` };
  }
  const { rollout } = parsed;
  if (rollout.isPaused) return { isReached: false, reason: "the image's rollout is paused" };
  const floor = rollout.minimumVersion;
  if (floor !== undefined && !isAtLeast(client.version, floor)) {
    const running = client.version === undefined ? "an unknown version" : `\`${client.version}\``;
    return {
      isReached: false,
      reason: `the image is for hosts that run \`${floor}\` or newer, and this one runs ${running}`,
    };
  }
  const turnMs = turnOf(rollout, positionOf(client));
  if (turnMs === undefined) {
    return { isReached: false, reason: "the image's rollout does not reach every machine yet" };
  }
  if (nowMs >= turnMs) return REACHED;
  return {
    isReached: false,
    reason: "the image's rollout has not reached this machine",
    untilMs: turnMs,
  };
}

/** A machine's place in the rollout, from 0 (first) to 1 (only when everybody may). */
export function positionOf({
  machineId,
  digest,
  wariness,
}: Omit<RolloutClient, "version">): number {
  return wariness ?? shareOf(machineId, digest);
}

/** When the rollout reaches the machine at `position`; undefined if its steps end before. */
export function turnOf(rollout: Rollout, position: number): number | undefined {
  const { startMs = Number.NEGATIVE_INFINITY, durationMs, steps } = rollout;
  if (steps.length > 0) {
    const step = steps.find(({ percent }) => percent === 100 || position < percent / 100);
    return step === undefined ? undefined : startMs + step.afterMs;
  }
  return durationMs === undefined ? startMs : startMs + Math.ceil(position * durationMs);
}

function isAtLeast(version: string | undefined, floor: string): boolean {
  return version !== undefined && compareVersions(version, floor) >= 0;
}
