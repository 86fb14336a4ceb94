// What `bootc updates status` answers: a document, and the same for people.
import { dueStep, pauseOf, type Situation, windowOf } from "./decide.ts";
import type { Block, HealthRecord, UpdateStep } from "./state.ts";

export interface UpdatesStatus {
  readonly apiVersion: "bootc.updates/v1";
  readonly enabled: boolean;
  readonly strategy: string;
  /** What comes next; null when there is nothing to do. */
  readonly step: UpdateStep | null;
  /** Why the step is not taken now. */
  readonly blocked: {
    readonly rule: string;
    readonly reason: string;
    readonly until: string | null;
  } | null;
  readonly window: { readonly open: boolean; readonly changes: string | null } | null;
  readonly paused: { readonly reason: string; readonly until: string | null } | null;
  readonly held: readonly string[];
  /** What was last found wrong with a system, until one proves itself. */
  readonly health: {
    readonly at: string;
    readonly outcome: HealthRecord["outcome"];
    readonly digest: string | null;
    readonly version: string | null;
    readonly reason: string;
    readonly details: readonly string[];
  } | null;
  readonly booted: string | null;
  readonly staged: { readonly digest: string; readonly applied: boolean } | null;
  readonly found: { readonly digest: string; readonly version: string | null } | null;
  readonly lastCheck: string | null;
  readonly lastFailure: {
    readonly at: string;
    readonly kind: string;
    readonly message: string;
  } | null;
  readonly mistakes: readonly string[];
}

export function assembleStatus(situation: Situation, block: Block | undefined): UpdatesStatus {
  const { settings, state, host, mistakes } = situation;
  const { failure } = state;
  // The image may have been booted since the last check.
  const found = state.found?.digest === host.booted?.digest ? undefined : state.found;
  const pause = pauseOf(situation);
  const { booted, staged } = host;
  return {
    apiVersion: "bootc.updates/v1",
    enabled: settings["updates.enabled"],
    strategy: settings["updates.strategy"],
    step: dueStep(situation) ?? null,
    blocked: block
      ? { rule: block.rule, reason: block.reason, until: timeOf(block.untilMs) }
      : null,
    window: assembleWindow(situation),
    paused: pause ? { reason: pause.reason, until: timeOf(pause.untilMs) } : null,
    held: state.held.map((it) => it.digest),
    health: assembleHealth(state.health),
    booted: booted?.digest ?? null,
    staged: staged ? { digest: staged.digest, applied: !staged.isLocked } : null,
    found: found ? { digest: found.digest, version: found.version ?? null } : null,
    lastCheck: timeOf(state.checkedMs),
    lastFailure: failure
      ? { at: formatMoment(failure.atMs), kind: failure.kind, message: failure.message }
      : null,
    mistakes,
  };
}

function assembleHealth(record: HealthRecord | undefined): UpdatesStatus["health"] {
  if (record === undefined) return null;
  const { atMs, outcome, digest = null, version = null, reason, details } = record;
  return { at: formatMoment(atMs), outcome, digest, version, reason, details };
}

function assembleWindow(situation: Situation): UpdatesStatus["window"] {
  const window = windowOf(situation);
  if (window === undefined) return null;
  const { open, next } = window;
  return { open: open !== undefined, changes: timeOf(open?.endMs ?? next?.startMs) };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : formatMoment(ms);
}

/** `2026-11-28T17:00:00Z`: to the second, as people and programs read it. */
export function formatMoment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

const ABOUT: Readonly<Record<UpdateStep, string>> = {
  check: "look for an update",
  download: "download the update",
  finalize: "let the next reboot apply the update",
  reboot: "reboot into the update",
};

export function formatStatus(status: UpdatesStatus): string {
  const { blocked, staged, found, window, lastFailure, paused, health } = status;
  const step = status.step === null ? "nothing to do" : ABOUT[status.step];
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["Automatic updates", `${status.enabled ? "on" : "off"}, strategy ${status.strategy}`],
    ["Last check", status.lastCheck ?? "never"],
    [
      "Last failure",
      lastFailure === null
        ? undefined
        : `${lastFailure.at} ${lastFailure.kind}: ${lastFailure.message}`,
    ],
    ["Running", status.booted ?? "not known"],
    ["Found", found === null ? undefined : [found.version, found.digest].filter(Boolean).join(" ")],
    [
      "Staged",
      staged === null
        ? undefined
        : `${staged.digest}${staged.applied ? "" : " (the next reboot drops it)"}`,
    ],
    ["Held", status.held.length === 0 ? undefined : status.held.join(" ")],
    ["Health", health === null ? undefined : formatHealth(health)],
    ["Paused", paused === null ? undefined : `${paused.reason}${formatUntil(paused.until)}`],
    ["Window", window === null ? undefined : formatWindowState(window)],
    ["Next step", step],
    [
      "Not now",
      blocked === null
        ? undefined
        : `${blocked.rule}: ${blocked.reason}${formatUntil(blocked.until)}`,
    ],
    ...status.mistakes.map((it) => ["Mistake", it] as const),
  ];
  return lines
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
    .join("\n");
}

function formatHealth(health: NonNullable<UpdatesStatus["health"]>): string {
  const { at, outcome, digest, version, reason, details } = health;
  const image = [version, digest].filter(Boolean).join(" ");
  const first = `${at} ${outcome}: ${image}: ${reason}`;
  return [first, ...details.map((it) => `  ${it}`)].join("\n");
}

function formatWindowState({ open, changes }: NonNullable<UpdatesStatus["window"]>): string {
  if (changes === null) return open ? "open" : "never opens";
  return open ? `open until ${changes}` : `closed until ${changes}`;
}

export function formatUntil(until: string | null): string {
  return until === null ? "" : ` (until ${until})`;
}
