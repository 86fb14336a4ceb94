import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { parseCpuMs, parseLastRun, readLastRun, rememberRun } from "./last-run.ts";

async function machine() {
  const root = await mkdtemp(join(tmpdir(), "last-run-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, "proc/self"), { recursive: true });
  return { root, ...scriptedContext(root, []) };
}

const STAT =
  "42 (bootc) (x) R 1 42 42 0 -1 4194304 9 8 0 0 12 3 7 1 30 10 11 0 99 1 2 3 4 5 6 7 8\n";

test("the record of a run is read as it was written", async () => {
  const { root, ctx } = await machine();
  await writeFile(join(root, "proc/self/stat"), STAT);
  expect(readLastRun(ctx)).toBeUndefined();
  await mkdir(join(root, "run/bootc"), { recursive: true });
  rememberRun(ctx, { startedMs: 1000, endedMs: 3500 });
  expect(readLastRun(ctx)).toEqual({ endedMs: 3500, tookMs: 2500, cpuMs: 230 });
  rememberRun(ctx, { startedMs: 9000, endedMs: 4000 });
  expect(readLastRun(ctx)).toEqual({ endedMs: 4000, tookMs: 0, cpuMs: 230 });
});

test("a record that cannot be written is only noted", async () => {
  const { ctx, transcript } = await machine();
  rememberRun(ctx, { startedMs: 0, endedMs: 1 });
  expect(transcript()).toContain(
    "! note: `/run/bootc/updates-last-run.json` cannot be written: ENOENT",
  );
});

test("the time of the programs counts, whatever the name of the process is", () => {
  expect(parseCpuMs(STAT)).toBe(230);
  expect(parseCpuMs("")).toBe(0);
});

test.each(["", "{", "[]", "{}", '{"endedMs":1,"tookMs":-1,"cpuMs":0}', '{"endedMs":"1"}'])(
  "%j is not a record",
  (text) => {
    expect(() => parseLastRun(text)).toThrow("the record of the last run");
  },
);
