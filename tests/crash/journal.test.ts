import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeCounts, parseCounts } from "../../xtask/suites/counts.ts";
import {
  appendJudged,
  formatBound,
  formatKinds,
  formatPhases,
  formatReport,
  formatTable,
  type Judged,
  readJudged,
} from "./journal.ts";
import { placeOf } from "./recording-file.ts";

const RUN = { recording: "ext4", made: "2026-11-28", executable: "abc", judge: "def" };
const GOOD: Judged = {
  ...{
    number: 0,
    interval: 0,
    kind: "flushed",
    phase: "pull",
    view: "a",
    isRepeated: false,
    isRemembered: true,
    isCompared: true,
    isRepaired: false,
    complaints: [],
  },
  ...{ ms: 5, booted: "old", problems: [], loader: [] },
};
const BAD: Judged = {
  ...{
    number: 1,
    interval: 0,
    kind: "prefix",
    phase: "finalize",
    view: "b",
    isRepeated: true,
    isRemembered: false,
    isCompared: false,
    isRepaired: true,
    complaints: ["check"],
  },
  ...{ ms: 5, booted: "new", problems: ["fsck"], loader: ["no entry"] },
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "crash-journal-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a run continues after its own states, and the last result of a state counts", async () => {
  const path = join(dir, "made/journal.jsonl");
  expect(await readJudged(path, RUN)).toEqual([]);
  await appendJudged(path, RUN, { ...GOOD, problems: ["later mended"] });
  await appendJudged(path, { ...RUN, made: "another day" }, BAD);
  await appendJudged(path, { ...RUN, executable: "another" }, BAD);
  await appendJudged(path, { ...RUN, judge: "another" }, BAD);
  await appendFile(path, '\n{"recording":"ext4","made":');
  await appendJudged(path, RUN, GOOD);
  expect((await readJudged(path, RUN)).map(({ number, problems }) => [number, problems])).toEqual([
    [0, []],
  ]);
});

test("tables count by recording, phase and kind, and the report counts each state as a test", () => {
  const results = [{ recording: "ext4", judged: [GOOD, BAD] }];
  expect(formatTable(results).split("\n").slice(2)).toEqual([
    "| ext4 | 2 | 2 | 1 | 1 | 1 | 1 | 1 | 0 | 0 | 1 | - |",
    "| all | 2 | 2 | 1 | 1 | 1 | 1 | 1 | 0 | 0 | 1 | - |",
  ]);
  expect(formatPhases(results).split("\n").slice(3)).toEqual([
    "| all | 1 | 0 | 0 | 0 | 1 | 0 | 0 | 0 |",
  ]);
  expect(formatKinds(results)).toBe(
    [
      "| recording | flushed | one-missing | prefix | subset | torn-4k | torn-512 |",
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
      "| ext4 | 1 | 0 | 1 | 0 | 0 | 0 |",
      "| all | 1 | 0 | 1 | 0 | 0 | 0 |",
    ].join("\n"),
  );
  expect(describeCounts([parseCounts(formatReport(results, "/top/x.ts"), "/top")])).toBe(
    "failed: x.ts: ext4 1; fsck\n1 passed, 1 failed, 0 skipped",
  );
});

test("states with the same view count as one, also after an earlier run, but not in two recordings", () => {
  const repeated = { ...GOOD, isRepeated: true };
  const results = [
    { recording: "ext4", judged: [repeated, { ...repeated, view: "b" }, repeated] },
    { recording: "xfs", judged: [repeated] },
  ];
  const rows = formatTable(results).split("\n").slice(2);
  expect(rows.map((it) => it.split(" | ").slice(1, 3).join(" "))).toEqual(["3 2", "1 1", "4 3"]);
});

test("what a check and a boot loader find counts where nothing was repaired", () => {
  const found = { ...GOOD, complaints: ["inode 12"], loader: ["EIO"] };
  const results = [{ recording: "ext4", judged: [found, { ...found, isRepaired: true }] }];
  const [row = ""] = formatTable(results).split("\n").slice(-1);
  expect(row).toMatch(/ \| 1 \| 1 \| 1 \| 0 \| 95 % \|$/);
});

test.each([
  [0, "-"],
  [1, "95 %"],
  [22, "13 %"],
  [23, "13 %"],
  [24, "12 %"],
  [299, "1.00 %"],
  [1888, "0.16 %"],
  [2265, "0.14 %"],
  [20_095, "0.015 %"],
])("%i states without a failure have a bound that is not too low: %s", (count, bound) => {
  expect(formatBound(count)).toBe(bound);
  if (count > 0) expect((1 - Number.parseFloat(bound) / 100) ** count).toBeLessThan(0.05 + 1e-9);
});

test("an interval belongs to the phase in which it ends, and may boot what any of its phases may", () => {
  const marks = [
    { phase: "pull", at: 100 },
    { phase: "finalize", at: 200 },
    { phase: "first-boot", at: 300 },
  ] as const;
  const place = (from: number, to: number) => placeOf(marks, { from, to, writes: [] });
  expect(place(0, 50)).toEqual({ phase: "pull", allowed: ["old"] });
  expect(place(100, 200)).toEqual({ phase: "pull", allowed: ["old"] });
  expect(place(150, 250)).toEqual({ phase: "finalize", allowed: ["old", "new"] });
  expect(place(250, 350)).toEqual({ phase: "first-boot", allowed: ["old", "new"] });
  expect(place(300, 350)).toEqual({ phase: "first-boot", allowed: ["new"] });
});
