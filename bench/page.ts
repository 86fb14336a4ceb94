// Puts saved figures into the page of figures: a table with one row a comparison, and the charts.
import { BootcError } from "../src/errors.ts";
import { formatLimit, formatMemory, formatTable, formatWritten, type Report } from "./figures.ts";
import { formatMs } from "./measure.ts";

const BEGIN = "<!-- figures: written by `xtask bench --page` -->";
const END = "<!-- end of figures -->";

/** `page` with `reports` between its marks; `charts` is where they are as seen from the page. */
export function fillPage(page: string, reports: readonly Report[], charts: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) {
    throw new BootcError("the page has no place for figures", {
      hint: `write \`${BEGIN}\` and \`${END}\` where they belong`,
    });
  }
  const figures = formatFigures(reports, charts);
  return `${page.slice(0, before)}${BEGIN}\n\n${figures}\n\n${page.slice(after)}`;
}

function formatFigures(reports: readonly Report[], charts: string): string {
  const [first] = reports;
  const named = new Map(
    reports.map((report) => [report.name, report.title.replace(/, against .*/, "")]),
  );
  return [
    `Measured on ${first?.date}: ${first?.machine}.`,
    "",
    ...formatSummary(reports),
    "",
    ...[...named].flatMap(([name, title]) => [`![${title}](${charts}/${chartName(name)})`, ""]),
    ...new Set(reports.flatMap((report) => report.notes.map((note) => `- ${note}`))),
  ].join("\n");
}

/** A table of all reports: ours, and the baseline it is compared with. */
export function formatSummary(reports: readonly Report[]): readonly string[] {
  const head = ["case", "ours", "compared with", "ratio", "of CPU", "memory", "written", "target"];
  return formatTable([head, ...reports.map(summaryCells)]);
}

function summaryCells(report: Report): readonly string[] {
  const [limit] = report.limits;
  const ours = report.rows.find((row) => row.name === limit?.name) ?? report.rows[0];
  const baseline = report.rows.find((row) => row.name === report.baseline);
  if (ours === undefined || baseline === undefined) return [report.title];
  return [
    `${report.title.replace(/, against .*/, "")} (${ours.runs} rounds)`,
    `${formatMs(ours.medianMs)} (${ours.quartilesMs.map(formatMs).join(" - ")})`,
    `${baseline.name}: ${formatMs(baseline.medianMs)}`,
    ours.ratio.toFixed(2),
    ours.cpuRatio.toFixed(2),
    formatMemory(ours.peakBytes),
    `${formatWritten(ours.writtenBytes)} (${formatWritten(baseline.writtenBytes)})`,
    formatLimit(limit),
  ];
}

export function chartName(name: string): string {
  return `${name}.svg`;
}
