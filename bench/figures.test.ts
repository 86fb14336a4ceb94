import { expect, test } from "vitest";
import { createReport, findExceeded, formatReport, quantile } from "./figures.ts";
import { formatMs, type Measured } from "./measure.ts";

const run = (wallMs: number) => ({
  wallMs,
  cpuMs: wallMs / 2,
  peakBytes: 2 ** 20,
  writtenBytes: wallMs * 100_000,
});
const written = "bytes written: by hand";
const MEASURED: readonly Measured[] = [
  { name: "nothing", samples: [run(1), run(2), run(3)], written },
  { name: "them", samples: [run(12), run(11), run(40)], written },
  { name: "us", samples: [run(30), run(22), run(21)], written },
];
const OPTIONS = { title: "Test", baseline: "them", floor: "nothing" };

test("a ratio is of the medians, each without what the measurement itself takes", () => {
  const { rows } = createReport(MEASURED, OPTIONS);
  expect(rows.map((it) => [it.name, it.medianMs, it.ratio])).toEqual([
    ["nothing", 2, 0],
    ["them", 12, 1],
    ["us", 22, 2],
  ]);
});

test("a limit is exceeded by more than it says, and by a contender that was not measured", () => {
  const limits = [
    { name: "us", ratioMax: 1.9 },
    { name: "them", ratioMax: 1 },
    { name: "nobody", ratioMax: 5 },
    { name: "us", moreMsMax: 9, peakBytesMax: 1 },
  ];
  expect(findExceeded(createReport(MEASURED, { ...OPTIONS, limits }))).toEqual([
    "us: 2.00 times, at most 1.90 times",
    "nobody: was not measured",
    "us: 10.0 ms more, at most 9.0 ms more",
    "us: 1 MiB, at most 0 MiB",
  ]);
});

test.each([
  { title: "both are exceeded", ratioMax: 1.9, moreMsMax: 9, want: 2 },
  { title: "the ratio alone is kept", ratioMax: 2, moreMsMax: 9, want: 0 },
  { title: "the difference alone is kept", ratioMax: 1.9, moreMsMax: 10, want: 0 },
])("of a ratio and a difference, one suffices: $title", ({ ratioMax, moreMsMax, want }) => {
  const limits = [{ name: "us", ratioMax, moreMsMax }];
  expect(findExceeded(createReport(MEASURED, { ...OPTIONS, limits }))).toHaveLength(want);
});

test("a ratio of CPU time has a limit of its own", () => {
  const limits = [{ name: "us", ratioMax: 3, cpuRatioMax: 1.5 }];
  expect(findExceeded(createReport(MEASURED, { ...OPTIONS, limits }))).toEqual([
    "us: 2.00 times the CPU, at most 1.50 times the CPU",
  ]);
});

test("the table lines up and names its baseline", () => {
  const report = createReport(MEASURED, { ...OPTIONS, limits: [{ name: "us", ratioMax: 2.5 }] });
  expect(
    formatReport({ ...report, machine: "a machine", date: "2026-01-01" }),
  ).toMatchInlineSnapshot(`
    "Test: 3 interleaved runs, 2026-01-01, a machine
    ratios: of the medians, to \`them\`
    bytes written: by hand

    |         |  median |  half of the runs | fastest |     CPU | peak memory | written |     more | ratio | of CPU |    at most |
    | ------- | ------: | ----------------: | ------: | ------: | ----------: | ------: | -------: | ----: | -----: | ---------: |
    | nothing |  2.0 ms |   1.5 ms - 2.5 ms |  1.0 ms |  1.0 ms |       1 MiB |  0.2 MB | -10.0 ms |  0.00 |   0.00 |            |
    | them    | 12.0 ms | 11.5 ms - 26.0 ms | 11.0 ms |  6.0 ms |       1 MiB |  1.2 MB |          |     1 |      1 |            |
    | us      | 22.0 ms | 21.5 ms - 26.0 ms | 21.0 ms | 11.0 ms |       1 MiB |  2.2 MB |  10.0 ms |  2.00 |   2.00 | 2.50 times |"
  `);
});

test.each([
  { values: [1, 2, 3, 4], at: 0.5, want: 2.5 },
  { values: [5], at: 0.25, want: 5 },
  { values: [3, 1, 2], at: 0, want: 1 },
])("quantile $at of $values is $want", ({ values, at, want }) => {
  expect(quantile(values, at)).toBe(want);
});

test.each([
  { ms: 1.23, want: "1.2 ms" },
  { ms: 123.4, want: "123 ms" },
  { ms: 12_345, want: "12.3 s" },
])("formatMs writes $ms as $want", ({ ms, want }) => {
  expect(formatMs(ms)).toBe(want);
});
