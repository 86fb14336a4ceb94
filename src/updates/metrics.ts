// Figures about automatic updates, for Prometheus.
import type { Metric } from "../format/prometheus.ts";
import { RULE_NAMES } from "./rule-names.ts";
import { FETCHED_BYTES, type UpdatesState } from "./state.ts";
import type { UpdatesStatus } from "./status.ts";

export interface MetricsInput {
  readonly status: UpdatesStatus;
  readonly state: UpdatesState;
  readonly nowMs: number;
}

export interface LastRun {
  readonly endedMs: number;
  readonly tookMs: number;
  /** Of bootc and the programs that it started. */
  readonly cpuMs: number;
}

/** Every metric is always there, so that an alert on a missing one means a missing host. */
export function collectMetrics(input: MetricsInput): readonly Metric[] {
  return [...collectGauges(input), ...collectRules(input), ...collectCounters(input.state)];
}

function collectGauges({ status, state, nowMs }: MetricsInput): readonly Metric[] {
  return [
    gauge("enabled", "Whether the settings switch automatic updates on.", flagOf(status.enabled)),
    gauge("config_mistakes", "Mistakes in the settings.", status.mistakes.length),
    gauge("time_seconds", "When these figures were made.", nowMs / 1000),
    gauge(
      "last_check_time_seconds",
      "When the registry last answered a check; 0 for never.",
      (state.checkedMs ?? 0) / 1000,
    ),
    gauge(
      "last_failure_time_seconds",
      "When a run last failed, if no check has succeeded since; otherwise 0.",
      (state.failure?.atMs ?? 0) / 1000,
    ),
    gauge(
      "available",
      "Whether an image is known that does not run yet.",
      flagOf(status.found !== null),
    ),
    gauge("staged", "Whether an image is staged.", flagOf(status.staged !== null)),
    gauge(
      "reboot_pending",
      "Whether the next reboot applies an image.",
      flagOf(status.staged?.applied === true),
    ),
    gauge("paused", "Whether updates are paused.", flagOf(status.paused !== null)),
    gauge("held_images", "Images that are left out.", state.held.length),
    gauge(
      "unhealthy",
      "Whether a system was found not healthy, and none has proved itself since.",
      flagOf(state.health !== undefined),
    ),
    gauge(
      "slot_held",
      "Whether this machine has a slot of the FleetLock server.",
      flagOf(state.lockedMs !== undefined),
    ),
  ];
}

function collectRules({ status }: MetricsInput): readonly Metric[] {
  const { step, blocked, booted, strategy } = status;
  return [
    {
      name: "bootc_updates_blocked",
      help: "The rule that keeps the next step from being taken.",
      type: "gauge",
      samples: RULE_NAMES.map((rule) => ({
        labels: { rule },
        value: flagOf(step !== null && rule === blocked?.rule),
      })),
    },
    {
      name: "bootc_updates_info",
      help: "The image that runs, and the strategy.",
      type: "gauge",
      samples: [{ labels: { booted: booted ?? "", strategy }, value: 1 }],
    },
  ];
}

function collectCounters({ counts }: UpdatesState): readonly Metric[] {
  const count = (event: string) => counts[event] ?? 0;
  return [
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
      samples: Object.entries(counts).flatMap(([name, value]) => {
        const kind = /^failed-(.+)$/.exec(name)?.[1];
        return kind === undefined ? [] : [{ labels: { kind }, value }];
      }),
    },
  ];
}

function gauge(name: string, help: string, value: number): Metric {
  return { name: `bootc_updates_${name}`, help, type: "gauge", samples: [{ value }] };
}

function counter(name: string, help: string, value: number): Metric {
  return { name: `bootc_updates_${name}`, help, type: "counter", samples: [{ value }] };
}

function flagOf(value: boolean): number {
  return value ? 1 : 0;
}
