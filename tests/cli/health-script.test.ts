// The health gate's script works without bootc, and must decide as the table does that pages and tests know.
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decideHealth, HEALTH_EVENTS, STATES } from "../../src/health/states.ts";

const SCRIPT = join(import.meta.dirname, "../../packaging/rootfs/usr/lib/bootc/health");

test.each(STATES)("in state %s the script does what the table says", (state) => {
  for (const event of HEALTH_EVENTS) {
    const { stdout } = spawnSync("sh", [SCRIPT, "decide", state, event], { encoding: "utf8" });
    const { next, action } = decideHealth(state, event);
    expect([event, stdout]).toEqual([event, `${next} ${action}\n`]);
  }
});

test("anything else is a mistake", () => {
  expect(spawnSync("sh", [SCRIPT, "rollback"]).status).toBe(2);
});

const UNITS = join(import.meta.dirname, "../../packaging/rootfs/usr/lib/systemd/system");
const TRIAL = "ConditionPathExists=/sysroot/ostree/bootc/health/trial\n";

test.each(["begin", "deadline"])("a boot without a trial starts nothing: %s", async (name) => {
  expect(await readFile(join(UNITS, `bootc-health-${name}.service`), "utf8")).toContain(TRIAL);
});

test("a boot without a trial and without checks starts nothing either", async () => {
  const text = await readFile(join(UNITS, "bootc-health.service"), "utf8");
  const conditions = [...text.matchAll(/^Condition\w+=(.*)$/gm)].map((it) => it[1]);
  expect(conditions[0]).toBe("/run/ostree-booted");
  expect(conditions.slice(1).every((it) => it?.startsWith("|"))).toBe(true);
});

const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

test.skipIf(!analyze).each(["arm", "begin", "deadline"])("%s may do little", (name) => {
  const unit = join(UNITS, `bootc-health-${name}.service`);
  const words = ["security", "--offline=true", "--threshold=50", "--no-pager", unit];
  const { status, stdout } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
  expect(status, stdout).toBe(0);
});
