import { expect, test } from "vitest";
import { drawChart, findTargetMs } from "./chart.ts";
import { createReport } from "./figures.ts";
import { fillPage } from "./page.ts";

const sample = (wallMs: number) => ({
  wallMs,
  cpuMs: wallMs / 2,
  peakBytes: 2 ** 20,
  writtenBytes: 1e6,
});
const measured = (name: string, wallMs: number) => ({
  name,
  samples: [sample(wallMs)],
  written: "bytes written: by hand",
});
const REPORT = createReport([measured("ours", 3000), measured("floor <b>", 2000)], {
  name: "case",
  title: "First pull, against floor <b>",
  baseline: "floor <b>",
  limits: [{ name: "ours", ratioMax: 1.2, moreMsMax: 600 }],
});

test("a chart is the same whenever it is drawn, and has both colour schemes", () => {
  const drawn = drawChart(REPORT);
  expect(drawChart(JSON.parse(JSON.stringify(REPORT)))).toBe(drawn);
  expect(drawn).toContain("prefers-color-scheme: dark");
});

test("the longest bar ends where the values begin, and the others are in proportion to it", () => {
  const widths = [
    ...drawChart(REPORT).matchAll(/class="wall" x="\d+" y="\d+" width="([\d.]+)" height="14"/g),
  ];
  expect(widths.map(([, width]) => Number(width))).toEqual([450, 300]);
});

test("names are escaped", () => {
  const drawn = drawChart(REPORT);
  expect(drawn).toContain("floor &lt;b>");
  expect(drawn).not.toContain("<b>");
});

test.each([
  { bounds: { ratioMax: 1.2 }, want: 2400 },
  { bounds: { ratioMax: 1.2, moreMsMax: 600 }, want: 2600 },
  { bounds: { moreMsMax: 60 }, want: 2060 },
  { bounds: { peakBytesMax: 1 }, want: undefined },
])("the target of $bounds is $want ms", ({ bounds, want }) => {
  expect(findTargetMs(bounds, REPORT.rows[1])).toBe(want);
});

const MARKS = "<!-- figures: written by `xtask bench --page` -->\nold\n<!-- end of figures -->";

test("figures replace those on the page, as often as wanted", () => {
  const once = fillPage(`before\n${MARKS}\nafter\n`, [REPORT], "charts");
  expect(fillPage(once, [REPORT], "charts")).toBe(once);
  expect(once).not.toContain("old");
  expect(once).toMatch(/^before\n[\s\S]*\nafter\n$/);
  expect(once).toContain("![First pull](charts/case.svg)");
  expect(once).toContain("1.20 times or 600 ms more");
});

test("a page without marks is refused", () => {
  expect(() => fillPage("text", [REPORT], "charts")).toThrow("no place for figures");
});
