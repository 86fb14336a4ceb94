import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseCounts } from "../../../xtask/suites/counts.ts";
import {
  appendBooted,
  type Booted,
  formatBoots,
  formatReport,
  readBooted,
} from "./boot-journal.ts";

const RUN = { recording: "ext4", made: "2026-11-29", executable: "abc", judge: "def" };
const GOOD: Booted = {
  ...{ number: 0, kind: "flushed", phase: "pull", booted: "old", problems: [] },
  ...{ isUnmountable: false, isUpdated: true, seconds: 20 },
};
const BAD: Booted = { ...GOOD, number: 1, booted: "new", problems: ["fsck"], seconds: 40 };

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bootc-boots-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

test("a run has the last result of each of its states, and none of other runs", async () => {
  const path = join(dir, "boots.jsonl");
  await appendBooted(path, RUN, BAD);
  await appendBooted(path, RUN, GOOD);
  await appendBooted(path, RUN, { ...BAD, problems: [] });
  await appendBooted(path, { ...RUN, judge: "another" }, { ...GOOD, number: 7 });
  const booted = await readBooted(path, RUN);
  expect(booted.map(({ number, problems }) => [number, problems])).toEqual([
    [1, []],
    [0, []],
  ]);
});

test("the table counts what ran, and gives a bound only without failures", () => {
  const unmountable: Booted = {
    ...GOOD,
    number: 2,
    booted: "none",
    isUnmountable: true,
    isUpdated: false,
  };
  const table = formatBoots([
    { recording: "ext4", booted: [GOOD, unmountable] },
    { recording: "xfs", booted: [BAD] },
  ]);
  expect(table.split("\n").slice(2)).toEqual([
    "| ext4 | 2 | 1 | 0 | 1 | 1 | 0 | 95 % | 20 |",
    "| xfs | 1 | 0 | 1 | 1 | 0 | 1 | - | 40 |",
    "| all | 3 | 1 | 1 | 2 | 1 | 1 | - | 20 |",
  ]);
});

test("the report counts each state as a test", () => {
  const report = formatReport([{ recording: "ext4", booted: [GOOD, BAD] }], "/top/boots.ts");
  expect(parseCounts(report, "/top")).toMatchObject({ passed: 1, failed: 1 });
});
