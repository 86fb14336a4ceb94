// Draws the figures of one case as bars, in an SVG that follows the reader's choice of light or dark.
import type { Bounds, Report, Row } from "./figures.ts";
import { formatMs } from "./measure.ts";

const WIDTH = 760;
const LABEL_WIDTH = 220;
const VALUE_WIDTH = 90;
const TOP = 52;
const BAR = 14;
/** The height of one contender: two bars and the space below them. */
const ROW = 2 * BAR + 18;
const LEGEND = 46;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .quiet { fill: #59636e; font-size: 12px }
  .ground { fill: #ffffff }
  .wall { fill: #8c959f } .cpu { fill: #d1d9e0 }
  .ours .wall, .legend .wall { fill: #0969da } .ours .cpu, .legend .cpu { fill: #80ccff }
  .spread { stroke: #1f2328 }
  .target { stroke: #cf222e; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .quiet { fill: #9198a1 } .ground { fill: #0d1117 }
    .wall { fill: #656c76 } .cpu { fill: #3d444d }
    .ours .wall, .legend .wall { fill: #4493f8 } .ours .cpu, .legend .cpu { fill: #1f4e8c }
    .spread { stroke: #f0f6fc } .target { stroke: #f85149 }
  }
`;

/** The place of a time, in pixels from the left. */
type Scale = (ms: number) => number;

/** The chart of a report: the time and the CPU time of every contender, with the target for ours. */
export function drawChart(report: Report): string {
  const { rows, title, baseline } = report;
  const [limit] = report.limits;
  const compared = rows.find((row) => row.name === baseline);
  const targetMs = limit && findTargetMs(limit, compared);
  const longest = Math.max(
    targetMs ?? 0,
    ...rows.flatMap((row) => [row.quartilesMs[1], row.cpuMs]),
  );
  const scale: Scale = (ms) => LABEL_WIDTH + (ms / longest) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH);
  const bottom = TOP + rows.length * ROW;
  const height = bottom + LEGEND;
  const parts = [
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    text({ x: 12, y: 24, content: title.replace(/, against .*/, ""), kind: "title" }),
    text({ x: 12, y: 41, content: `${report.date}, ${report.machine}`, kind: "quiet" }),
    ...rows.map((row, i) => {
      const place = { y: TOP + i * ROW, scale };
      return row.name === limit?.name ? drawOurs(row, place, targetMs) : drawRow(row, place);
    }),
    drawLegend(bottom + 20, targetMs),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/** The most time that the bounds leave for ours; undefined when they bound no time. */
export function findTargetMs(bounds: Bounds, baseline: Row | undefined): number | undefined {
  const { ratioMax, moreMsMax } = bounds;
  if (baseline === undefined) return undefined;
  const { medianMs } = baseline;
  const times = [
    ...(ratioMax === undefined ? [] : [medianMs * ratioMax]),
    ...(moreMsMax === undefined ? [] : [medianMs + moreMsMax]),
  ];
  return times.length === 0 ? undefined : Math.max(...times);
}

interface Place {
  readonly y: number;
  readonly scale: Scale;
}

/** Our bars, in colour, and a line where they should end. */
function drawOurs(row: Row, place: Place, targetMs: number | undefined): string {
  const { y, scale } = place;
  const drawn = `<g class="ours">${drawRow(row, place)}</g>`;
  if (targetMs === undefined) return drawn;
  return `${drawn}<path class="target" d="M${round(scale(targetMs))} ${y - 4}v${BAR + 6}"/>`;
}

function drawRow(row: Row, { y, scale }: Place): string {
  const [low, high] = row.quartilesMs.map(scale);
  const middle = y + BAR / 2;
  return [
    text({ x: LABEL_WIDTH - 10, y: y + BAR + 4, content: row.name, isRight: true }),
    bar("wall", { y, width: scale(row.medianMs) - LABEL_WIDTH }),
    bar("cpu", { y: y + BAR, width: scale(row.cpuMs) - LABEL_WIDTH }),
    `<path class="spread" d="M${round(low)} ${middle}H${round(high)}"/>`,
    text({ x: (high ?? 0) + 6, y: y + 11, content: formatMs(row.medianMs) }),
    text({ x: scale(row.cpuMs) + 6, y: y + BAR + 11, content: formatMs(row.cpuMs), kind: "quiet" }),
  ].join("");
}

function drawLegend(y: number, targetMs: number | undefined): string {
  const entry = (x: number, kind: string, words: string) =>
    `<rect class="${kind}" x="${x}" y="${y - 10}" width="12" height="12"/>` +
    text({ x: x + 18, y, content: words, kind: "quiet" });
  const line = `<path class="target" d="M420 ${y - 4}h14"/>`;
  const target = text({ x: 440, y, content: `target: ${formatMs(targetMs ?? 0)}`, kind: "quiet" });
  return [
    '<g class="legend">',
    entry(12, "wall", "time, with half of the runs"),
    entry(220, "cpu", "CPU time of all processes"),
    ...(targetMs === undefined ? [] : [line, target]),
    "</g>",
  ].join("");
}

function bar(kind: string, { y, width }: { readonly y: number; readonly width: number }): string {
  return `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${round(width)}" height="${BAR}"/>`;
}

interface Text {
  readonly x: number;
  readonly y: number;
  readonly content: string;
  readonly kind?: "title" | "quiet";
  readonly isRight?: boolean;
}

function text({ x, y, content, kind, isRight = false }: Text): string {
  const attributes = `${kind ? ` class="${kind}"` : ""}${isRight ? ' text-anchor="end"' : ""}`;
  return `<text x="${round(x)}" y="${y}"${attributes}>${escapeXml(content)}</text>`;
}

function round(pixels = 0): number {
  return Math.round(pixels * 10) / 10;
}

function escapeXml(plain: string): string {
  return plain.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
