import { expect, test } from "vitest";
import { formatMetrics } from "../format/prometheus.ts";
import { DEFAULT_SETTINGS } from "./config/settings.ts";
import { collectMetrics } from "./metrics.ts";
import { EMPTY_STATE } from "./state.ts";
import { assembleStatus } from "./status.ts";

const state = {
  ...EMPTY_STATE,
  checkedMs: 1_780_000_000_000,
  found: { digest: "sha256:b", annotations: {} },
  counts: { found: 3, reboot: 1, "failed-network": 7, "failed-policy": 1 },
  history: [],
};
const situation = {
  nowMs: 1_780_000_100_500,
  settings: DEFAULT_SETTINGS,
  mistakes: [],
  state,
  host: { booted: { digest: 'sha256:a"\\\n' }, staged: undefined },
  machineId: "m",
  localZone: "UTC",
};
const text = () => {
  const block = { step: "download", rule: "metered", reason: "r" } as const;
  const status = assembleStatus(situation, block);
  return formatMetrics(collectMetrics({ status, state, nowMs: situation.nowMs }));
};

test.each([
  "bootc_updates_enabled 1",
  "bootc_updates_time_seconds 1780000100.5",
  "bootc_updates_last_check_time_seconds 1780000000",
  "bootc_updates_available 1",
  "bootc_updates_staged 0",
  'bootc_updates_blocked{rule="metered"} 1',
  'bootc_updates_blocked{rule="window"} 0',
  'bootc_updates_blocked{rule="fleet_lock"} 0',
  'bootc_updates_info{booted="sha256:a\\"\\\\\\n",strategy="immediate"} 1',
  "bootc_updates_found_total 3",
  'bootc_updates_failures_total{kind="network"} 7',
  'bootc_updates_failures_total{kind="policy"} 1',
])("%s", (line) => {
  expect(text().split("\n")).toContain(line);
});

test("an image that was booted since the last check is no longer available", () => {
  const host = { booted: { digest: "sha256:b" }, staged: undefined };
  const status = assembleStatus({ ...situation, host }, undefined);
  expect(formatMetrics(collectMetrics({ status, state, nowMs: 0 }))).toContain(
    "bootc_updates_available 0\n",
  );
});

test("every line is one of the format, and every metric has one help and one type", () => {
  const lines = text().trimEnd().split("\n");
  const names = lines.flatMap((it) => /^# HELP (\S+) /.exec(it)?.[1] ?? []);
  expect(new Set(names).size).toBe(names.length);
  expect(lines.filter((it) => it.startsWith("# TYPE"))).toHaveLength(names.length);
  for (const line of lines) {
    expect(line).toMatch(
      /^(# HELP \S+ .+|# TYPE \S+ (gauge|counter)|[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? [\d.e+-]+)$/,
    );
  }
});
