// What automatic updates remember from run to run: as a document, and how it changes.
import {
  type JsonObject,
  malformed,
  parseJsonObject,
  requireArray,
  requireObject,
  requireString,
  requireStrings,
} from "../format/json.ts";
import type { EventName } from "./events.ts";

export interface UpdatesState {
  readonly pause: Pause | undefined;
  readonly held: readonly HeldImage[];
  /** What was last found wrong with a system, until one proves itself. */
  readonly health: HealthRecord | undefined;
  /** When a check last succeeded. */
  readonly checkedMs: number | undefined;
  /** The newest image, unless it is running. */
  readonly found: FoundImage | undefined;
  /** Since when an image is known that is newer than the running one, whichever image that was at first. */
  readonly behindMs: number | undefined;
  /** The last failure, if nothing has succeeded since. */
  readonly failure: Failure | undefined;
  /** Why the last run stopped before the end. */
  readonly block: Block | undefined;
  /** When people were told that this image needs a reboot. */
  readonly warning: Warning | undefined;
  /** The digest of the image that was running at the last run. */
  readonly running: string | undefined;
  /** When a run first saw that image running. */
  readonly runningMs: number | undefined;
  /** Since when this machine has a slot of the FleetLock server. */
  readonly lockedMs: number | undefined;
  readonly counts: Readonly<Record<string, number>>;
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
}

export interface Pause {
  readonly sinceMs: number;
  readonly untilMs?: number;
  readonly reason: string;
}

export interface HeldImage {
  readonly digest: string;
  readonly sinceMs: number;
  /** What was wrong with it; absent if a person holds it. */
  readonly reason?: string;
}

export const HEALTH_OUTCOMES = ["went-back", "both-bad", "stuck", "unhealthy"] as const;

/** The end of a new system's trial, or of the checks at another boot. */
export interface HealthRecord {
  readonly atMs: number;
  readonly outcome: (typeof HEALTH_OUTCOMES)[number];
  /** The image that was found bad; absent if it is not known. */
  readonly digest?: string;
  readonly version?: string;
  readonly reason: string;
  /** Lines about it: what checks printed, and the end of the journal. */
  readonly details: readonly string[];
}

export interface FoundImage {
  readonly digest: string;
  readonly version?: string;
  /** Those that describe a rollout. */
  readonly annotations: Readonly<Record<string, string>>;
}

interface Failure {
  readonly atMs: number;
  readonly kind: string;
  readonly message: string;
}

/** A rule that keeps a step from being taken. */
export interface Block {
  readonly step: UpdateStep;
  readonly rule: string;
  readonly reason: string;
  /** When this rule will not object any more; absent if nobody can know. */
  readonly untilMs?: number;
}

interface Warning {
  readonly digest: string;
  readonly atMs: number;
}

export interface HistoryEntry {
  readonly atMs: number;
  readonly event: string;
  readonly text: string;
}

export const STEPS = ["check", "download", "finalize", "reboot"] as const;
export type UpdateStep = (typeof STEPS)[number];

export const EMPTY_STATE: UpdatesState = {
  pause: undefined,
  held: [],
  health: undefined,
  checkedMs: undefined,
  found: undefined,
  behindMs: undefined,
  failure: undefined,
  block: undefined,
  warning: undefined,
  running: undefined,
  runningMs: undefined,
  lockedMs: undefined,
  counts: {},
  history: [],
};

/** About three months of a host that updates daily. */
const HISTORY_MAX = 300;

export function withEvent(
  state: UpdatesState,
  entry: HistoryEntry & { readonly event: EventName },
): UpdatesState {
  return {
    ...withCount(state, entry.event),
    history: [...state.history, entry].slice(-HISTORY_MAX),
  };
}

/** Older programs keep counts that they do not know, but no other part of the state. */
function withCount(state: UpdatesState, name: string, more = 1): UpdatesState {
  return { ...state, counts: { ...state.counts, [name]: (state.counts[name] ?? 0) + more } };
}

/** Counts of something else than an event. */
export const FETCHED_BYTES = "fetched-bytes";
export const MADE_CHECKS = "checks";
export const FAILED_CHECKS = "checks-failed";

export function withFetched(state: UpdatesState, bytes: number): UpdatesState {
  return bytes === 0 ? state : withCount(state, FETCHED_BYTES, bytes);
}

export function withFailedCheck(state: UpdatesState): UpdatesState {
  return withCount(withCount(state, MADE_CHECKS), FAILED_CHECKS);
}

/** What a check found: undefined if the newest image is running. */
export function withCheck(
  state: UpdatesState,
  { found, nowMs }: { readonly found: FoundImage | undefined; readonly nowMs: number },
): UpdatesState {
  return {
    ...withCount(state, MADE_CHECKS),
    checkedMs: nowMs,
    found,
    behindMs: found === undefined ? undefined : (state.behindMs ?? nowMs),
    failure: undefined,
  };
}

/** The requests of the FleetLock protocol. */
export const FLEET_REQUESTS = ["pre-reboot", "steady-state"] as const;
export type FleetRequest = (typeof FLEET_REQUESTS)[number];

/** The name of the count of requests, or of those that failed in one way. */
export function fleetCountOf(request: FleetRequest, failure?: string): string {
  return failure === undefined ? `fleet-${request}` : `fleet-${request}-${failure}`;
}

/** A request to the FleetLock server, and what was wrong with the answer, if anything. */
export function withFleetRequest(
  state: UpdatesState,
  request: FleetRequest,
  failure?: string,
): UpdatesState {
  const asked = withCount(state, fleetCountOf(request));
  return failure === undefined ? asked : withCount(asked, fleetCountOf(request, failure));
}

/** Another image runs than before. It is behind from now on if yet another one is known. */
export function withRunning(
  state: UpdatesState,
  { digest, nowMs }: { readonly digest: string; readonly nowMs: number },
): UpdatesState {
  const isBehind = state.found !== undefined && state.found.digest !== digest;
  return { ...state, running: digest, runningMs: nowMs, behindMs: isBehind ? nowMs : undefined };
}

export function withFailure(state: UpdatesState, failure: Failure): UpdatesState {
  const after = { ...withCount(state, `failed-${failure.kind}`), failure };
  // A server that is away for a week would otherwise fill the history.
  if (state.failure?.message === failure.message) return after;
  const { atMs, message } = failure;
  const { history } = withEvent(state, { atMs, event: "failed", text: message });
  return { ...after, history };
}

export function formatState(state: UpdatesState): string {
  return `${JSON.stringify({ version: 1, ...state }, undefined, 1)}\n`;
}

const WHAT = "the state of automatic updates";

export function parseUpdatesState(text: string): UpdatesState {
  const document = parseJsonObject(WHAT, text);
  if (document.version !== 1) {
    throw malformed(WHAT, `its version is ${JSON.stringify(document.version)}`);
  }
  const part = <T>(name: string, parse: (value: JsonObject) => T): T | undefined => {
    const value = document[name];
    return value === undefined ? undefined : parse(requireObject(value, WHAT, name));
  };
  const list = <T>(name: string, parse: (value: JsonObject) => T): readonly T[] =>
    requireArray(document[name], WHAT, name).map((it) => parse(requireObject(it, WHAT, name)));
  return {
    pause: part("pause", (it) => ({
      sinceMs: requireTime(it, "sinceMs"),
      ...timeIfAny(it, "untilMs"),
      reason: requireText(it, "reason"),
    })),
    held: list("held", (it) => ({
      digest: requireText(it, "digest"),
      sinceMs: requireTime(it, "sinceMs"),
      ...textIfAny(it, "reason"),
    })),
    health: part("health", parseHealth),
    ...parseTimes(document),
    found: part("found", parseFound),
    failure: part("failure", (it) => ({
      atMs: requireTime(it, "atMs"),
      kind: requireText(it, "kind"),
      message: requireText(it, "message"),
    })),
    block: part("block", parseBlock),
    warning: part("warning", (it) => ({
      digest: requireText(it, "digest"),
      atMs: requireTime(it, "atMs"),
    })),
    running: document.running === undefined ? undefined : requireText(document, "running"),
    counts: requireCounts(document.counts),
    history: list("history", (it) => ({
      atMs: requireTime(it, "atMs"),
      event: requireText(it, "event"),
      text: requireText(it, "text"),
    })),
  };
}

function parseTimes(
  document: JsonObject,
): Pick<UpdatesState, "checkedMs" | "behindMs" | "runningMs" | "lockedMs"> {
  return {
    checkedMs: timeIfAny(document, "checkedMs").checkedMs,
    behindMs: timeIfAny(document, "behindMs").behindMs,
    runningMs: timeIfAny(document, "runningMs").runningMs,
    lockedMs: timeIfAny(document, "lockedMs").lockedMs,
  };
}

function parseHealth(value: JsonObject): HealthRecord {
  const outcome = HEALTH_OUTCOMES.find((it) => it === value.outcome);
  if (outcome === undefined) throw malformed(WHAT, "its health has an unknown outcome");
  return {
    atMs: requireTime(value, "atMs"),
    outcome,
    ...textIfAny(value, "digest"),
    ...textIfAny(value, "version"),
    reason: requireText(value, "reason"),
    details: requireArray(value.details, WHAT, "details").map((it) =>
      requireString(it, WHAT, "details"),
    ),
  };
}

function parseFound(value: JsonObject): FoundImage {
  return {
    digest: requireText(value, "digest"),
    ...textIfAny(value, "version"),
    annotations: requireStrings(value.annotations, WHAT, "annotations"),
  };
}

function parseBlock(value: JsonObject): Block {
  const step = STEPS.find((it) => it === value.step);
  if (step === undefined) throw malformed(WHAT, "it blocks an unknown step");
  return {
    step,
    rule: requireText(value, "rule"),
    reason: requireText(value, "reason"),
    ...timeIfAny(value, "untilMs"),
  };
}

/** The largest time that a date can show. */
const TIME_MAX = 8.64e15;

function requireTime(object: JsonObject, name: string): number {
  const value = object[name];
  if (typeof value === "number" && value >= 0 && value <= TIME_MAX) return value;
  throw malformed(WHAT, `${name} is not a time`);
}

function timeIfAny<const N extends string>(
  object: JsonObject,
  name: N,
): { readonly [K in N]?: number } {
  if (object[name] === undefined) return {};
  return { [name]: requireTime(object, name) } as { readonly [K in N]: number };
}

function requireText(object: JsonObject, name: string): string {
  return requireString(object[name], WHAT, name);
}

function textIfAny<const N extends string>(
  object: JsonObject,
  name: N,
): { readonly [K in N]?: string } {
  if (object[name] === undefined) return {};
  return { [name]: requireText(object, name) } as { readonly [K in N]: string };
}

function requireCounts(value: unknown): Readonly<Record<string, number>> {
  const counts = requireObject(value, WHAT, "counts");
  const known: Record<string, number> = {};
  for (const [name, count] of Object.entries(counts)) {
    if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0) {
      throw malformed(WHAT, `counts.${name} is not a number`);
    }
    known[name] = count;
  }
  return known;
}
