// Turns samples into a report: medians with their spread, as ratios to a named baseline.
import { cpus, release, totalmem } from "node:os";
import { formatMs, type Measured, type Sample } from "./measure.ts";

/** A row of a report. Times are milliseconds. */
export interface Row {
  readonly name: string;
  readonly runs: number;
  readonly medianMs: number;
  readonly minMs: number;
  /** Half of the runs took between these two times. */
  readonly quartilesMs: readonly [number, number];
  /** Median of the CPU seconds of all processes, in milliseconds. */
  readonly cpuMs: number;
  /** The largest resident set of any single process. */
  readonly peakBytes: number;
  /** What a run wrote to the disk. */
  readonly writtenBytes: number;
  /** The median minus the baseline's median; negative when faster. */
  readonly moreMs: number;
  /** The ratio of the median to the baseline's, with the floor subtracted from both. */
  readonly ratio: number;
  /** The ratio of the CPU time to the baseline's, which a busy machine distorts least. */
  readonly cpuRatio: number;
}

/** How slow or large a contender may be, in comparison to the baseline unless it says otherwise. */
export interface Bounds {
  readonly ratioMax?: number;
  /** The most milliseconds over the baseline's median. With `ratioMax`, one of the two suffices. */
  readonly moreMsMax?: number;
  readonly cpuRatioMax?: number;
  /** Of any single process, whatever the baseline takes. */
  readonly peakBytesMax?: number;
}

/** The bounds for a contender. */
export interface Limit extends Bounds {
  readonly name: string;
}

export interface Report {
  /** Names the case in files: the same for reports of the same runs. */
  readonly name: string;
  readonly title: string;
  readonly machine: string;
  readonly date: string;
  readonly baseline: string;
  readonly rows: readonly Row[];
  /** Facts that a reader needs for a comparison, such as how durable each contender's result is. */
  readonly notes: readonly string[];
  readonly limits: readonly Limit[];
}

export interface ReportOptions {
  /** By default, the title in small letters. */
  readonly name?: string;
  readonly title: string;
  readonly notes?: readonly string[];
  /** The name of the contender that the others are compared with. */
  readonly baseline: string;
  /** The name of the contender whose time is subtracted from all others; by default, none. */
  readonly floor?: string;
  readonly limits?: readonly Limit[];
}

export function createReport(measured: readonly Measured[], options: ReportOptions): Report {
  const floor = measured.find((it) => it.name === options.floor);
  const baseline = measured.find((it) => it.name === options.baseline);
  const ratioOf = (contender: Measured, of: "wallMs" | "cpuMs") => {
    const floorMs = floor === undefined ? 0 : medianOf(floor, of);
    return (
      (medianOf(contender, of) - floorMs) /
      (baseline ? medianOf(baseline, of) - floorMs : Number.NaN)
    );
  };
  return {
    name: options.name ?? options.title.toLowerCase().replaceAll(/\W+/g, "-"),
    title: options.title,
    machine: describeMachine(),
    date: new Date().toISOString().slice(0, 10),
    baseline: options.baseline,
    rows: measured.map((it) => ({
      ...rowOf(it),
      moreMs: baseline ? medianOf(it, "wallMs") - medianOf(baseline, "wallMs") : Number.NaN,
      ratio: ratioOf(it, "wallMs"),
      cpuRatio: ratioOf(it, "cpuMs"),
    })),
    notes: [...(options.notes ?? []), ...new Set(measured.map((it) => it.written))],
    limits: options.limits ?? [],
  };
}

/** The limits that rows exceed, one line each. */
export function findExceeded({ rows, limits }: Report): readonly string[] {
  return limits.flatMap((limit) => {
    const row = rows.find((it) => it.name === limit.name);
    if (row === undefined) return [`${limit.name}: was not measured`];
    return alternativesOf(limit, row)
      .filter((parts) => !parts.some((part) => part.got <= part.max))
      .flat()
      .map((part) => `${row.name}: ${part.format(part.got)}, at most ${part.format(part.max)}`);
  });
}

interface LimitPart {
  readonly got: number;
  readonly max: number;
  readonly format: (value: number) => string;
}

/** Groups of bounds. One bound of each group has to be kept. */
function alternativesOf(limit: Limit, row?: Row): readonly (readonly LimitPart[])[] {
  const time = [
    { got: row?.ratio, max: limit.ratioMax, format: formatRatio },
    { got: row?.moreMs, max: limit.moreMsMax, format: (ms: number) => `${formatMs(ms)} more` },
  ];
  const cpu = { got: row?.cpuRatio, max: limit.cpuRatioMax, format: formatCpuRatio };
  const peak = { got: row?.peakBytes, max: limit.peakBytesMax, format: formatMemory };
  return [time, [cpu], [peak]]
    .map((parts) =>
      parts.flatMap(({ got = Number.NaN, max, format }) =>
        max === undefined ? [] : [{ got, max, format }],
      ),
    )
    .filter((parts) => parts.length > 0);
}

function formatCpuRatio(ratio: number): string {
  return `${formatRatio(ratio)} the CPU`;
}

function formatRatio(ratio: number): string {
  return `${ratio.toFixed(2)} times`;
}

export function formatMemory(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

export function formatWritten(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Formats the report as a Markdown table. */
export function formatReport(report: Report): string {
  const cells = [
    [
      "",
      "median",
      "half of the runs",
      "fastest",
      "CPU",
      "peak memory",
      "written",
      "more",
      "ratio",
      "of CPU",
      "at most",
    ],
    ...report.rows.map((it) => [
      it.name,
      formatMs(it.medianMs),
      it.quartilesMs.map(formatMs).join(" - "),
      formatMs(it.minMs),
      formatMs(it.cpuMs),
      formatMemory(it.peakBytes),
      formatWritten(it.writtenBytes),
      it.name === report.baseline ? "" : formatMs(it.moreMs),
      ...[it.ratio, it.cpuRatio].map((n) => (it.name === report.baseline ? "1" : n.toFixed(2))),
      formatLimit(report.limits.find((limit) => limit.name === it.name)),
    ]),
  ];
  const runs = report.rows[0]?.runs ?? 0;
  return [
    `${report.title}: ${runs} interleaved runs, ${report.date}, ${report.machine}`,
    `ratios: of the medians, to \`${report.baseline}\``,
    ...report.notes,
    "",
    ...formatTable(cells),
  ].join("\n");
}

export function formatLimit(limit: Limit | undefined): string {
  if (limit === undefined) return "";
  return alternativesOf(limit)
    .map((parts) => parts.map((part) => part.format(part.max)).join(" or "))
    .join(", ");
}

/** The quantile `at` of `values`, interpolated between neighbours. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * at;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

function rowOf(measured: Measured): Omit<Row, "moreMs" | "ratio" | "cpuRatio"> {
  const walls = measured.samples.map((sample) => sample.wallMs);
  return {
    name: measured.name,
    runs: walls.length,
    medianMs: medianOf(measured, "wallMs"),
    minMs: quantile(walls, 0),
    quartilesMs: [quantile(walls, 0.25), quantile(walls, 0.75)],
    cpuMs: medianOf(measured, "cpuMs"),
    peakBytes: medianOf(measured, "peakBytes"),
    writtenBytes: medianOf(measured, "writtenBytes"),
  };
}

function medianOf({ samples }: Measured, of: keyof Sample): number {
  return quantile(
    samples.map((it) => it[of]),
    0.5,
  );
}

export function formatTable(cells: readonly (readonly string[])[]): readonly string[] {
  const [head = []] = cells;
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const pad = (cell: string, i: number) =>
    i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  const line = (row: readonly string[]) => `| ${row.map(pad).join(" | ")} |`;
  const dashes = (width: number, i: number) =>
    i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`;
  const rule = `| ${widths.map(dashes).join(" | ")} |`;
  const [first = "", ...rest] = cells.map(line);
  return [first, rule, ...rest];
}

function describeMachine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  // What follows the version names the build of one distribution or machine.
  const [version] = /^\d+\.\d+/.exec(release()) ?? [release()];
  return `${processors.length} x ${processors[0]?.model.trim() ?? "?"}, ${memory} GiB, Linux ${version}`;
}
