// Figures about automatic updates, for Prometheus.
import type { Metric, Sample } from "../format/prometheus.ts";
import { pauseOf, type Situation, windowOf } from "./decide.ts";
import { parseRollout, positionOf, turnOf } from "./rollout.ts";
import { RULE_NAMES } from "./rule-names.ts";
import {
  FAILED_CHECKS,
  FETCHED_BYTES,
  FLEET_REQUESTS,
  fleetCountOf,
  MADE_CHECKS,
  type UpdatesState,
} from "./state.ts";
import type { UpdatesStatus } from "./status.ts";

export interface MetricsInput {
  readonly situation: Situation;
  readonly status: UpdatesStatus;
  readonly figures: MachineFigures;
  /** Of bootc itself. */
  readonly version: string;
}

/** What only figures need of the machine. */
export interface MachineFigures {
  /** When an image was staged, or when that was last changed. */
  readonly stagedMs: number | undefined;
  /** Undefined if nothing has run since the boot. */
  readonly lastRun: LastRun | undefined;
  readonly damagedFiles: number;
}

export interface LastRun {
  readonly endedMs: number;
  readonly tookMs: number;
  /** Of bootc and the programs that it started. */
  readonly cpuMs: number;
}

/** Every metric is always there, so that an alert on a missing one means a missing host. */
export function collectMetrics(input: MetricsInput): readonly Metric[] {
  return [
    ...collectRuns(input),
    ...collectImages(input),
    ...collectWaits(input),
    ...collectWindow(input.situation),
    ...collectRollout(input),
    ...collectNames(input),
    ...collectCounters(input.situation.state),
    ...collectFleetCounters(input.situation.state),
  ];
}

function collectRuns({ status, situation, figures }: MetricsInput): readonly Metric[] {
  const { state, nowMs } = situation;
  const { lastRun, damagedFiles } = figures;
  return [
    gauge("enabled", "Whether the settings switch automatic updates on.", flagOf(status.enabled)),
    gauge("config_mistakes", "Mistakes in the settings.", status.mistakes.length),
    gauge("damaged_files", "Damaged state files that were set aside.", damagedFiles),
    gauge("time_seconds", "When these figures were made.", nowMs / 1000),
    time("last_check", "When the registry last answered a check; 0 for never.", state.checkedMs),
    time(
      "last_failure",
      "When a run last failed, if no check has succeeded since; otherwise 0.",
      state.failure?.atMs,
    ),
    time("last_run", "When the last run since the boot ended; 0 for none.", lastRun?.endedMs),
    gauge(
      "last_run_duration_seconds",
      "How long the last run since the boot took.",
      (lastRun?.tookMs ?? 0) / 1000,
    ),
    gauge(
      "last_run_cpu_seconds",
      "CPU time of the last run since the boot, with the programs that it started.",
      (lastRun?.cpuMs ?? 0) / 1000,
    ),
  ];
}

function collectImages({ status, situation, figures }: MetricsInput): readonly Metric[] {
  const { state, host } = situation;
  const { found, staged } = status;
  return [
    time("image_built", "When the running image was built; 0 if unknown.", host.booted?.builtMs),
    time(
      "image_since",
      "Since when the running image is known to run; 0 if unknown.",
      runningSinceMs(situation),
    ),
    gauge("available", "Whether an image is known that does not run yet.", flagOf(found !== null)),
    time(
      "available_since",
      "Since when a newer image than the running one is known; 0 if there is none.",
      found === null ? undefined : state.behindMs,
    ),
    gauge("staged", "Whether an image is staged.", flagOf(staged !== null)),
    time(
      "staged_since",
      "Since when an image is staged, or applied by the next reboot; 0 if there is none.",
      staged === null ? undefined : figures.stagedMs,
    ),
    gauge(
      "reboot_pending",
      "Whether the next reboot applies an image.",
      flagOf(staged?.applied === true),
    ),
    gauge("held_images", "Images that are left out.", state.held.length),
    gauge(
      "unhealthy",
      "Whether a system was found not healthy, and none has proved itself since.",
      flagOf(state.health !== undefined),
    ),
  ];
}

/** The state of an older program lacks this time, but its history has the boot. */
function runningSinceMs({ state, host }: Situation): number | undefined {
  const { running, runningMs, history } = state;
  if (running === undefined || running !== host.booted?.digest) return undefined;
  return runningMs ?? history.findLast((it) => it.event === "booted")?.atMs;
}

function collectWaits({ status, situation }: MetricsInput): readonly Metric[] {
  const { lockedMs } = situation.state;
  const { step, blocked } = status;
  const pause = pauseOf(situation);
  const block = step === null ? null : blocked;
  const isLocked = lockedMs !== undefined;
  return [
    gauge("paused", "Whether updates are paused.", flagOf(pause !== undefined)),
    time("paused_since", "Since when updates are paused; 0 if they are not.", pause?.sinceMs),
    time("pause_end", "When the pause ends; 0 without a pause or an end.", pause?.untilMs),
    gauge(
      "slot_held",
      "Whether this machine has a slot of the FleetLock server.",
      flagOf(isLocked),
    ),
    time("slot_since", "Since when this machine has that slot; 0 if it has none.", lockedMs),
    labelled(
      "blocked",
      "The rule that keeps the next step from being taken.",
      RULE_NAMES.map((rule) => ({ labels: { rule }, value: flagOf(rule === block?.rule) })),
    ),
    time(
      "blocked_until",
      "Until when that rule keeps it; 0 if nobody knows, or no rule does.",
      block?.until ? Date.parse(block.until) : undefined,
    ),
  ];
}

function collectWindow(situation: Situation): readonly Metric[] {
  const window = windowOf(situation);
  const isOpen = window === undefined || window.open !== undefined;
  return [
    gauge("window_open", "Whether a window is open now, or the strategy has none.", flagOf(isOpen)),
    time("window_next", "When the next window opens; 0 without windows.", window?.next?.startMs),
  ];
}

/** What is not set, or depends on an image that is not known, is no number: 0 would be the first place. */
function collectRollout({ situation, status }: MetricsInput): readonly Metric[] {
  const { settings, machineId, state } = situation;
  const wariness = settings["identity.rollout_wariness"];
  const found = status.found === null ? undefined : state.found;
  const position = found && positionOf({ machineId, digest: found.digest, wariness });
  const parsed = parseRollout(found?.annotations ?? {});
  const turnMs =
    parsed?.kind === "rollout" && position !== undefined
      ? turnOf(parsed.rollout, position)
      : undefined;
  return [
    gauge(
      "rollout_wariness",
      "The wariness of the settings, from 0 to 1; NaN if they have none.",
      wariness ?? Number.NaN,
    ),
    gauge(
      "rollout_position",
      "The place of this machine in the known image's rollout, from 0 to 1; NaN without an image.",
      position ?? Number.NaN,
    ),
    time(
      "rollout_turn",
      "When the known image's rollout reaches this machine; 0 if unknown, or without a rollout.",
      Number.isFinite(turnMs) ? turnMs : undefined,
    ),
  ];
}

function collectNames({ status, situation, version }: MetricsInput): readonly Metric[] {
  const { booted, strategy } = status;
  const labels = {
    booted: booted ?? "",
    version: situation.host.booted?.version ?? "",
    strategy,
  };
  return [
    labelled("info", "The image that runs, and the strategy.", [{ labels, value: 1 }]),
    labelled("build_info", "The version of bootc.", [{ labels: { version }, value: 1 }]),
  ];
}

function collectCounters({ counts }: UpdatesState): readonly Metric[] {
  const count = (event: string) => counts[event] ?? 0;
  return [
    counter("checks_total", "Checks made.", count(MADE_CHECKS)),
    counter("check_failures_total", "Checks that failed.", count(FAILED_CHECKS)),
    counter("found_total", "Images found by checks.", count("found")),
    counter("downloads_total", "Images downloaded.", count("download")),
    counter(
      "downloaded_bytes_total",
      "Compressed size of the layers that were fetched.",
      count(FETCHED_BYTES),
    ),
    counter(
      "finalizations_total",
      "Images that the next reboot was told to apply.",
      count("finalize"),
    ),
    counter("reboots_total", "Reboots begun.", count("reboot")),
    counter("boots_total", "Boots into another image than before.", count("booted")),
    counter(
      "rollbacks_total",
      "Images that did not prove themselves, so that the previous system runs again.",
      count("went-back") + count("both-bad"),
    ),
    {
      name: "bootc_updates_failures_total",
      help: "Failed runs by the kind of error.",
      type: "counter",
      samples: countsAfter(counts, "failed-").map(([kind, value]) => ({ labels: { kind }, value })),
    },
  ];
}

function collectFleetCounters({ counts }: UpdatesState): readonly Metric[] {
  return [
    {
      name: "bootc_updates_fleet_lock_requests_total",
      help: "Requests to the FleetLock server.",
      type: "counter",
      samples: FLEET_REQUESTS.map((request) => ({
        labels: { request },
        value: counts[fleetCountOf(request)] ?? 0,
      })),
    },
    {
      name: "bootc_updates_fleet_lock_failures_total",
      help: "Requests to the FleetLock server without success.",
      type: "counter",
      samples: FLEET_REQUESTS.flatMap((request) =>
        countsAfter(counts, fleetCountOf(request, "")).map(([kind, value]) => ({
          labels: { request, kind },
          value,
        })),
      ),
    },
  ];
}

/** The counts whose names begin with `prefix`, by what follows it. */
function countsAfter(
  counts: UpdatesState["counts"],
  prefix: string,
): readonly (readonly [string, number])[] {
  return Object.entries(counts)
    .filter(([name]) => name.startsWith(prefix) && name !== prefix)
    .map(([name, value]) => [name.slice(prefix.length), value]);
}

function gauge(name: string, help: string, value: number): Metric {
  return labelled(name, help, [{ value }]);
}

/** A moment; 0 if it is undefined. */
function time(name: string, help: string, ms: number | undefined): Metric {
  return gauge(`${name}_time_seconds`, help, (ms ?? 0) / 1000);
}

function labelled(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name: `bootc_updates_${name}`, help, type: "gauge", samples };
}

function counter(name: string, help: string, value: number): Metric {
  return { name: `bootc_updates_${name}`, help, type: "counter", samples: [{ value }] };
}

function flagOf(value: boolean): number {
  return value ? 1 : 0;
}
