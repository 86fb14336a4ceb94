import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { Machine } from "../../testing/machine-fixture.ts";
import { machineOf, play } from "../../testing/play-verb.ts";
import { showMetrics } from "./metrics.ts";

const now = () => Date.parse("2026-06-07T12:00:00Z");
const LAST_RUN = "run/bootc/updates-last-run.json";

async function place({ root }: Machine, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

/** No settings gate this step, so that nothing is started. */
async function quietMachine(): Promise<Machine> {
  const machine = await machineOf("2025.2");
  await place(machine, "etc/bootc/updates.d/50.toml", '[steps]\nreboot = "never"\n');
  return machine;
}

test("the figures have what the machine tells, and starting nothing suffices", async () => {
  const machine = await quietMachine();
  await place(machine, LAST_RUN, '{"endedMs":7000,"tookMs":1500,"cpuMs":240}');
  for (const it of ["1", "2"]) {
    await place(machine, `var/lib/bootc/updates/state.json.damaged-${it}`, "{");
  }
  await utimes(join(machine.root, "run/ostree/staged-deployment"), 5, 5);
  const text = await play(machine, [], (ctx) => showMetrics(ctx, { now }, {}));
  for (const line of [
    "last_run_time_seconds 7",
    "last_run_duration_seconds 1.5",
    "last_run_cpu_seconds 0.24",
    "damaged_files 2",
    "staged 1",
    "staged_since_time_seconds 5",
  ]) {
    expect(text).toContain(`\nbootc_updates_${line}\n`);
  }
  expect(text).toMatch(/\nbootc_updates_image_built_time_seconds 1[67]\d{8}\n/);
});

test("a record that cannot be read is noted, and the other figures are there", async () => {
  const machine = await quietMachine();
  await place(machine, LAST_RUN, "{");
  await place(machine, "var/lib/bootc/updates/state.json", "{");
  const file = join(machine.root, "bootc.prom");
  const said = await play(machine, [], (ctx) => showMetrics(ctx, { now }, { textfile: file }));
  expect(said).toContain("! note: a figure is missing: the record of the last run is malformed");
  const text = await readFile(file, "utf8");
  expect(text).toContain("\nbootc_updates_last_run_time_seconds 0\n");
  expect(text).toContain(`\nbootc_updates_paused_since_time_seconds ${now() / 1000}\n`);
});
