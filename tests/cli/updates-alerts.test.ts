// The alerts of docs/monitoring.md, evaluated by promtool: each on a host that deserves it, none on another.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const page = readFileSync(join(import.meta.dirname, "../../docs/monitoring.md"), "utf8");
const [, rules = ""] = /^```yaml\n(groups:.*?)^```$/ms.exec(page) ?? [];
const missing = spawnSync("promtool", ["--version"]).error && "promtool is not installed";

const DAYS = 70;
/** How far scrapes are apart: promtool evaluates all rules at each of them. */
const HOURS = 12;
const SCRAPES = (DAYS * 24) / HOURS;
/** The figure follows the clock, which begins at 0. */
const FRESH = `0+${HOURS * 3600}x${SCRAPES}`;
/** 0 would be never. */
const LONG_AGO = "3600";
const GROWING = `0+${HOURS}x${SCRAPES}`;

const HEALTHY: Readonly<Record<string, string>> = {
  enabled: "1",
  config_mistakes: "0",
  damaged_files: "0",
  time_seconds: FRESH,
  last_check_time_seconds: FRESH,
  last_run_time_seconds: FRESH,
  checks_total: GROWING,
  check_failures_total: "0",
  image_built_time_seconds: FRESH,
  available: "0",
  available_since_time_seconds: "0",
  reboot_pending: "0",
  unhealthy: "0",
  paused: "0",
  paused_since_time_seconds: "0",
  pause_end_time_seconds: "0",
  window_open: "1",
  slot_held: "0",
  slot_since_time_seconds: "0",
  'blocked{rule="enabled"}': "0",
  'blocked{rule="steps"}': "0",
  'blocked{rule="fleet_lock"}': "0",
  'blocked{rule="sessions"}': "0",
};

const pending = { reboot_pending: `0x${SCRAPES - 5} 1x5` };

const CASES: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ["", "a healthy host", {}],
  ["BootcNoCheck", "no answer of the registry", { last_check_time_seconds: LONG_AGO }],
  ["", "no answer ever, as before the first check", { last_check_time_seconds: "0" }],
  ["BootcNoRun", "a timer that is off", { last_run_time_seconds: LONG_AGO }],
  ["", "no run since the boot", { last_run_time_seconds: "0" }],
  ["BootcChecksFail", "checks that fail", { check_failures_total: GROWING }],
  ["", "one check in four that fails", { check_failures_total: `0+${HOURS / 4}x${SCRAPES}` }],
  ["BootcRebootOverdue", "a reboot that never comes", { reboot_pending: "1", window_open: "0" }],
  [
    "BootcBehind",
    "an update that is not taken",
    { available: "1", available_since_time_seconds: LONG_AGO },
  ],
  ["", "an update of which nobody knows since when", { available: "1" }],
  ["BootcImageOld", "an old image", { image_built_time_seconds: LONG_AGO }],
  ["", "an image without a time", { image_built_time_seconds: "0" }],
  ["BootcWindowUnused", "a window that is not used", pending],
  [
    "BootcWindowUnused",
    "the same, because people are logged in",
    { ...pending, 'blocked{rule="sessions"}': "1" },
  ],
  ["", "a host that a person updates", { ...pending, 'blocked{rule="enabled"}': "1" }],
  ["", "a host that never reboots by itself", { ...pending, 'blocked{rule="steps"}': "1" }],
  [
    "BootcPauseForgotten",
    "a pause without an end",
    { paused: "1", paused_since_time_seconds: LONG_AGO },
  ],
  [
    "",
    "a pause with an end",
    { paused: "1", paused_since_time_seconds: LONG_AGO, pause_end_time_seconds: "9e6" },
  ],
  ["", "a host that waits for a slot", { ...pending, 'blocked{rule="fleet_lock"}': "1" }],
  ["BootcStateDamaged", "a damaged state", { damaged_files: "1" }],
  ["BootcConfigMistake", "a mistake in the settings", { config_mistakes: "2" }],
  ["BootcSlotKept", "a slot that is kept", { slot_held: "1", slot_since_time_seconds: LONG_AGO }],
  [
    "BootcFleetLockFails",
    "a FleetLock server that is away",
    { 'fleet_lock_failures_total{request="pre-reboot",kind="network"}': GROWING },
  ],
  [
    "",
    "slots that are taken",
    { 'fleet_lock_failures_total{request="pre-reboot",kind="refused"}': GROWING },
  ],
  ["BootcWentBack", "an update that was undone", { unhealthy: "1" }],
  ["BootcFailing", "failures", { 'failures_total{kind="space"}': GROWING }],
  ["BootcMetricsStale", "figures that nobody writes", { time_seconds: LONG_AGO }],
];

test.skipIf(missing)(`they fire for hosts that deserve it${missing ?? ""}`, () => {
  const hosts = CASES.map(([, about]) => about);
  const want = CASES.flatMap(([alert, about]) => (alert === "" ? [] : [`${about}: ${alert}`]));
  expect(new Set(hosts).size).toBe(hosts.length);
  expect(findFiring().sort()).toEqual(want.sort());
});

test("every alert is tried", () => {
  const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, it]) => it);
  const tried = new Set(CASES.map(([it]) => it));
  expect(names.filter((it = "") => !tried.has(it))).toEqual([]);
  expect(names.length).toBeGreaterThan(10);
});

/** The alerts of all hosts after 70 days. promtool tells them, because it is to expect none. */
function findFiring(): string[] {
  const firing = 'count by (instance, alertname) (ALERTS{alertstate="firing"})';
  const asked = { expr: firing, eval_time: `${DAYS}d`, exp_samples: [] };
  const interval = `${HOURS}h`;
  const tests = [{ interval, input_series: CASES.flatMap(seriesOf), promql_expr_test: [asked] }];
  const dir = mkdtempSync(join(tmpdir(), "bootc-alerts-"));
  try {
    writeFileSync(join(dir, "rules.yml"), rules);
    const file = { rule_files: ["rules.yml"], evaluation_interval: interval, tests };
    writeFileSync(join(dir, "test.yml"), JSON.stringify(file));
    const how = { cwd: dir, encoding: "utf8" } as const;
    const { stdout, stderr } = spawnSync("promtool", ["test", "rules", "test.yml"], how);
    const said = `${stdout}${stderr}`;
    const fired = [...said.matchAll(/\{alertname="(\w+)", instance="([^"]+)"\}/g)];
    if (fired.length === 0) throw new Error(said);
    return fired.map(([, alert, host]) => `${host}: ${alert}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function seriesOf([, host, figures]: (typeof CASES)[number]) {
  return Object.entries({ ...HEALTHY, ...figures }).map(([name, values]) => {
    const [metric, labels = ""] = name.split(/[{}]/);
    return {
      series: `bootc_updates_${metric}{instance="${host}"${labels && `,${labels}`}}`,
      values: values.includes("x") ? values : `${values}x${SCRAPES}`,
    };
  });
}
