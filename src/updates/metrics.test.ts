import { describe, expect, test } from "vitest";
import { formatMetrics } from "../format/prometheus.ts";
import { DEFAULT_SETTINGS } from "./config/settings.ts";
import type { HostStand, Situation } from "./decide.ts";
import { collectMetrics, type MachineFigures } from "./metrics.ts";
import { shareOf } from "./share.ts";
import { type Block, EMPTY_STATE } from "./state.ts";
import { assembleStatus } from "./status.ts";

const START = 1_780_000_000;
const NOW_MS = 1_780_000_100_500;

const FIGURES: MachineFigures = { stagedMs: undefined, lastRun: undefined, damagedFiles: 0 };

interface Given extends Partial<Omit<Situation, "settings" | "state">> {
  readonly settings?: Partial<Situation["settings"]>;
  readonly state?: Partial<Situation["state"]>;
  readonly block?: Block;
  readonly figures?: Partial<MachineFigures>;
}

function linesOf({ settings, state, block, figures, ...given }: Given): readonly string[] {
  const situation: Situation = {
    nowMs: NOW_MS,
    mistakes: [],
    host: { booted: { digest: "sha256:a" }, staged: undefined },
    machineId: "m",
    localZone: "UTC",
    ...given,
    settings: { ...DEFAULT_SETTINGS, ...settings },
    state: { ...EMPTY_STATE, ...state },
  };
  const input = {
    situation,
    status: assembleStatus(situation, block),
    figures: { ...FIGURES, ...figures },
    version: "1.16.0",
  };
  return formatMetrics(collectMetrics(input)).trimEnd().split("\n");
}

const found = (annotations: Readonly<Record<string, string>> = {}) => ({
  found: { digest: "sha256:b", annotations },
});
const staged = (isLocked: boolean): HostStand => ({
  booted: { digest: "sha256:a" },
  staged: { digest: "sha256:b", isLocked },
});
const ROLLOUT = "org.containers.bootc.rollout";
const rollout = found({
  [`${ROLLOUT}.start`]: "2026-05-28T20:26:40Z",
  [`${ROLLOUT}.duration`]: "100m",
});
const windows = (day: "Thu" | "Fri"): Partial<Situation["settings"]> => ({
  "updates.strategy": "periodic",
  "updates.periodic.window": [{ days: [day], startMinute: 20 * 60, lengthMinutes: 120 }],
  "updates.periodic.jitter_minutes": 0,
});

/** The figures of a host that knows nothing. */
const EMPTY = linesOf({});

test.each([
  ["enabled 1", {}],
  ["enabled 0", { settings: { "updates.enabled": false } }],
  ["config_mistakes 1", { mistakes: ["x"] }],
  ["damaged_files 2", { figures: { damagedFiles: 2 } }],
  ["time_seconds 1780000100.5", {}],
  ["last_check_time_seconds 1780000000", { state: { checkedMs: START * 1000 } }],
  [
    "last_failure_time_seconds 7",
    { state: { failure: { atMs: 7000, kind: "network", message: "" } } },
  ],
  ["last_run_time_seconds 7", { figures: { lastRun: { endedMs: 7000, tookMs: 1, cpuMs: 1 } } }],
  [
    "last_run_duration_seconds 1.5",
    { figures: { lastRun: { endedMs: 1, tookMs: 1500, cpuMs: 1 } } },
  ],
  ["last_run_cpu_seconds 0.24", { figures: { lastRun: { endedMs: 1, tookMs: 1, cpuMs: 240 } } }],
] satisfies [string, Given][])("runs: %s", (line, given) => {
  expect(linesOf(given)).toContain(`bootc_updates_${line}`);
});

const running = { running: "sha256:a" };
const booted = { atMs: 5000, event: "booted", text: "" };

test.each([
  [
    "image_built_time_seconds 9",
    { host: { booted: { digest: "sha256:a", builtMs: 9000 }, staged: undefined } },
  ],
  ["image_built_time_seconds 0", {}],
  [
    "image_since_time_seconds 6",
    { state: { ...running, runningMs: 6000, history: [booted, { ...booted, event: "found" }] } },
  ],
  // By an older program.
  ["image_since_time_seconds 5", { state: { ...running, history: [booted] } }],
  ["image_since_time_seconds 0", { state: running }],
  // Another image was booted, and no run has seen it.
  ["image_since_time_seconds 0", { state: { running: "sha256:z", runningMs: 6000 } }],
  ["available 1", { state: found() }],
  ["available_since_time_seconds 8", { state: { ...found(), behindMs: 8000 } }],
  ["available_since_time_seconds 0", { state: found() }],
  ["staged 0", {}],
  ["staged 1", { host: staged(true) }],
  ["staged_since_time_seconds 4", { host: staged(true), figures: { stagedMs: 4000 } }],
  ["staged_since_time_seconds 0", { figures: { stagedMs: 4000 } }],
  ["reboot_pending 0", { host: staged(true) }],
  ["reboot_pending 1", { host: staged(false) }],
  ["held_images 1", { state: { held: [{ digest: "x", sinceMs: 1 }] } }],
  [
    "unhealthy 1",
    { state: { health: { atMs: 1, outcome: "unhealthy", reason: "", details: [] } } },
  ],
] satisfies [string, Given][])("images: %s", (line, given) => {
  expect(linesOf(given)).toContain(`bootc_updates_${line}`);
});

test("an image that was booted since the last check is no longer available", () => {
  const host = { booted: { digest: "sha256:b" }, staged: undefined };
  const lines = linesOf({ host, state: { ...rollout, behindMs: 1000 } });
  for (const line of [
    "available 0",
    "available_since_time_seconds 0",
    "rollout_position NaN",
    "rollout_turn_time_seconds 0",
  ]) {
    expect(lines).toContain(`bootc_updates_${line}`);
  }
});

const block: Block = { step: "download", rule: "metered", reason: "r" };
const pause = { sinceMs: 3000, reason: "x" };

test.each([
  ["paused 1", { state: { pause } }],
  ["paused_since_time_seconds 3", { state: { pause } }],
  ["pause_end_time_seconds 0", { state: { pause } }],
  [
    "pause_end_time_seconds 1790000000",
    { state: { pause: { ...pause, untilMs: 1_790_000_000_000 } } },
  ],
  // It is over.
  ["paused_since_time_seconds 0", { state: { pause: { ...pause, untilMs: 4000 } } }],
  ["slot_held 1", { state: { lockedMs: 2000 } }],
  ["slot_since_time_seconds 2", { state: { lockedMs: 2000 } }],
  ['blocked{rule="metered"} 1', { state: found(), block }],
  ['blocked{rule="window"} 0', { state: found(), block }],
  // There is nothing to do.
  ['blocked{rule="metered"} 0', { block }],
  ["blocked_until_time_seconds 0", { state: found(), block }],
  [
    "blocked_until_time_seconds 1790000000",
    { state: found(), block: { ...block, untilMs: 1_790_000_000_000 } },
  ],
  ["blocked_until_time_seconds 0", { block: { ...block, untilMs: 1_790_000_000_000 } }],
  // It is 2026-05-28 20:28 UTC, a Thursday.
  ["window_open 1", {}],
  ["window_next_time_seconds 0", {}],
  ["window_open 1", { settings: windows("Thu") }],
  [`window_next_time_seconds ${Date.UTC(2026, 5, 4, 20) / 1000}`, { settings: windows("Thu") }],
  ["window_open 0", { settings: windows("Fri") }],
  [`window_next_time_seconds ${Date.UTC(2026, 4, 29, 20) / 1000}`, { settings: windows("Fri") }],
  ["rollout_wariness NaN", {}],
  ["rollout_wariness 0.25", { settings: { "identity.rollout_wariness": 0.25 } }],
  ["rollout_position NaN", { settings: { "identity.rollout_wariness": 0.25 } }],
  ["rollout_position 0.25", { settings: { "identity.rollout_wariness": 0.25 }, state: rollout }],
  [`rollout_position ${shareOf("m", "sha256:b")}`, { state: found() }],
  ["rollout_turn_time_seconds 0", { state: found() }],
  [
    `rollout_turn_time_seconds ${START + 25 * 60}`,
    { settings: { "identity.rollout_wariness": 0.25 }, state: rollout },
  ],
  // A rollout that is not understood, and one that does not say when.
  ["rollout_turn_time_seconds 0", { state: found({ [`${ROLLOUT}.x`]: "" }) }],
  ["rollout_turn_time_seconds 0", { state: found({ [`${ROLLOUT}.paused`]: "true" }) }],
] satisfies [string, Given][])("waits: %s", (line, given) => {
  expect(linesOf(given)).toContain(`bootc_updates_${line}`);
});

const counts = {
  ...{ checks: 9, "checks-failed": 2, found: 3, download: 4, "fetched-bytes": 5, finalize: 6 },
  ...{ reboot: 7, booted: 8, "went-back": 1, "both-bad": 1 },
  ...{ "failed-network": 7, "failed-policy": 1 },
  ...{ "fleet-pre-reboot": 6, "fleet-pre-reboot-refused": 5, "fleet-pre-reboot-network": 1 },
  ...{ "fleet-steady-state": 2, "fleet-steady-state-unexpected": 1 },
};

test.each([
  "checks_total 9",
  "check_failures_total 2",
  "found_total 3",
  "downloads_total 4",
  "downloaded_bytes_total 5",
  "finalizations_total 6",
  "reboots_total 7",
  "boots_total 8",
  "rollbacks_total 2",
  'failures_total{kind="network"} 7',
  'failures_total{kind="policy"} 1',
  'fleet_lock_requests_total{request="pre-reboot"} 6',
  'fleet_lock_requests_total{request="steady-state"} 2',
  'fleet_lock_failures_total{request="pre-reboot",kind="refused"} 5',
  'fleet_lock_failures_total{request="pre-reboot",kind="network"} 1',
  'fleet_lock_failures_total{request="steady-state",kind="unexpected"} 1',
])("counts: %s", (line) => {
  expect(linesOf({ state: { counts } })).toContain(`bootc_updates_${line}`);
});

test("the names of what runs", () => {
  const host = { booted: { digest: 'sha256:a"', version: "42" }, staged: undefined };
  const lines = linesOf({ host });
  const labels = 'booted="sha256:a\\"",version="42",strategy="immediate"';
  expect(lines).toContain(`bootc_updates_info{${labels}} 1`);
  expect(lines).toContain('bootc_updates_build_info{version="1.16.0"} 1');
});

describe("the text", () => {
  const full = linesOf({ state: { counts } });

  test("every line is one of the format, and every metric has one help and one type", () => {
    const names = full.flatMap((it) => /^# HELP (\S+) /.exec(it)?.[1] ?? []);
    expect(new Set(names).size).toBe(names.length);
    expect(full.filter((it) => it.startsWith("# TYPE"))).toHaveLength(names.length);
    for (const line of full) {
      expect(line).toMatch(
        /^(# HELP \S+ .+|# TYPE \S+ (gauge|counter)|[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? (NaN|[\d.e+-]+))$/,
      );
    }
  });

  test("every metric but the failures has a sample on a host that knows nothing", () => {
    const without = EMPTY.filter((it, i) => {
      const next = EMPTY[i + 1];
      return it.startsWith("# TYPE") && (next === undefined || next.startsWith("#"));
    });
    expect(without).toEqual([
      "# TYPE bootc_updates_failures_total counter",
      "# TYPE bootc_updates_fleet_lock_failures_total counter",
    ]);
  });
});
