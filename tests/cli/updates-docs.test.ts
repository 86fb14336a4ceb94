import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatMetrics } from "../../src/format/prometheus.ts";
import { mergeConfig } from "../../src/updates/config/merge.ts";
import { DEFAULT_SETTINGS, KEYS } from "../../src/updates/config/settings.ts";
import type { Situation } from "../../src/updates/decide.ts";
import { EVENTS } from "../../src/updates/events.ts";
import { collectMetrics } from "../../src/updates/metrics.ts";
import { RULE_NAMES } from "../../src/updates/rule-names.ts";
import { EMPTY_STATE } from "../../src/updates/state.ts";
import { assembleStatus } from "../../src/updates/status.ts";
import { drawStates } from "../updates-diagram.ts";

const docs = (name: string) => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
const page = docs("updates.md");

describe("the page on automatic updates", () => {
  const samples = [...page.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, it = ""]) => it);

  test.each(samples)("its settings are right: %j", (text) => {
    const file = { path: "/etc/bootc/updates.d/50.toml", text };
    expect(mergeConfig([[file]]).mistakes).toEqual([]);
  });

  test("has the states as the code knows them", () => {
    expect(page).toContain(`\`\`\`mermaid\n${drawStates()}\`\`\`\n`);
  });

  test("has every rule, and the settings without gates", () => {
    expect(samples.length).toBeGreaterThan(3);
    expect(RULE_NAMES.filter((it) => !page.includes(`| \`${it}\``))).toEqual([]);
    const names = Object.keys(KEYS).filter((it) => !it.startsWith("gates."));
    const last = (name: string) => name.slice(name.lastIndexOf(".") + 1);
    expect(names.filter((it) => !page.includes(`${last(it)}\``))).toEqual([]);
    const limits = Object.keys(KEYS).filter((it) => /^gates\..*_(min|max|grace|timeout)/.test(it));
    expect(limits.filter((it) => !page.includes(it))).toEqual([]);
  });
});

describe("the page on monitoring", () => {
  const monitoring = docs("monitoring.md");
  const counts = {
    ...{ "failed-network": 3, found: 1 },
    ...{ "fleet-pre-reboot": 2, "fleet-pre-reboot-refused": 1 },
  };
  const situation: Situation = {
    ...{ nowMs: 1000, settings: DEFAULT_SETTINGS, mistakes: [], machineId: "m", localZone: "UTC" },
    state: { ...EMPTY_STATE, counts },
    host: { booted: { digest: "sha256:a" }, staged: { digest: "sha256:b", isLocked: false } },
  };
  const block = { step: "reboot", rule: "window", reason: "closed" } as const;
  const metrics = collectMetrics({
    situation,
    status: assembleStatus(situation, block),
    figures: { stagedMs: 1, lastRun: undefined, damagedFiles: 0 },
    version: "1.2.3",
  });
  const promtool = (words: readonly string[], input: string) => {
    const {
      status: exit,
      stdout,
      stderr,
    } = spawnSync("promtool", words, { input, encoding: "utf8" });
    return { exit, said: `${stdout}${stderr}` };
  };
  const checkRules = (rules: string) => {
    const dir = mkdtempSync(join(tmpdir(), "bootc-rules-"));
    try {
      const file = join(dir, "rules.yml");
      writeFileSync(file, rules);
      return promtool(["check", "rules", file], "");
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };
  const missing = spawnSync("promtool", ["--version"]).error && "promtool is not installed";

  test("has every metric and every event", () => {
    const short = metrics.map((it) => it.name.replace("bootc_updates_", ""));
    expect(short.filter((it) => !new RegExp(`\`${it}[\`{]`).test(monitoring))).toEqual([]);
    const rows = Object.entries(EVENTS).map(
      ([name, it]) => `| \`${name}\` | \`${it.messageId}\` |`,
    );
    expect(rows.filter((it) => !monitoring.includes(it))).toEqual([]);
  });

  test("the dashboard and the alerts ask only for metrics that exist", () => {
    const file = join(import.meta.dirname, "../../packaging/monitoring/grafana-dashboard.json");
    const { panels } = JSON.parse(readFileSync(file, "utf8"));
    expect(panels.length).toBeGreaterThan(5);
    const asked = `${JSON.stringify(panels)}${monitoring}`.match(/\bbootc_updates_[a-z_]+/g) ?? [];
    const known = new Set(metrics.map((it) => it.name));
    expect(asked.filter((it) => it !== "bootc_updates_" && !known.has(it))).toEqual([]);
    const shown = new Set(JSON.stringify(panels).match(/\bbootc_updates_[a-z_]+/g));
    expect([...known].filter((it) => !shown.has(it))).toEqual([]);
  });

  test.skipIf(missing)(`promtool accepts the alerts and the figures${missing ?? ""}`, () => {
    const [, rules = ""] = /^```yaml\n(groups:.*?)^```$/ms.exec(monitoring) ?? [];
    const checked = checkRules(rules);
    expect(checked.exit, checked.said).toBe(0);
    expect(checked.said).toMatch(/SUCCESS: \d+ rules found/);
    expect(promtool(["check", "metrics"], formatMetrics(metrics))).toEqual({ exit: 0, said: "" });
  });

  test.skipIf(missing)(`promtool accepts what the dashboard asks${missing ?? ""}`, () => {
    const file = join(import.meta.dirname, "../../packaging/monitoring/grafana-dashboard.json");
    const { panels } = JSON.parse(readFileSync(file, "utf8"));
    const asked: string[] = panels.flatMap((it: { targets: readonly { expr: string }[] }) =>
      it.targets.map(({ expr }) => expr),
    );
    const rules = asked.map((expr, i) => ({ record: `panel:${i}`, expr }));
    const text = JSON.stringify({ groups: [{ name: "dashboard", rules }] });
    const checked = checkRules(text);
    expect(checked.exit, checked.said).toBe(0);
  });
});
