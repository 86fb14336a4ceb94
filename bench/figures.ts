// From samples to what is read: medians with their spread, as ratios to a named baseline.
import { cpus, release, totalmem } from "node:os";
import type { Measured, Sample } from "./measure.ts";

/** A row of a report. Times are milliseconds. */
export interface Row {
  readonly name: string;
  readonly runs: number;
  readonly medianMs: number;
  readonly minMs: number;
  /** Half of the runs took between these two. */
  readonly quartilesMs: readonly [number, number];
  /** Median of the CPU seconds of all processes, in milliseconds. */
  readonly cpuMs: number;
  readonly peakBytes: number;
  /** The median as a ratio to the baseline's, each less the floor. */
  readonly ratio: number;
  /** The CPU time as a ratio to the baseline's: what a busy machine distorts least. */
  readonly cpuRatio: number;
}

/** A ratio that must not be exceeded. */
export interface Limit {
  readonly name: string;
  readonly ratioMax: number;
}

export interface Report {
  readonly title: string;
  readonly machine: string;
  readonly date: string;
  readonly baseline: string;
  readonly rows: readonly Row[];
  readonly limits: readonly Limit[];
}

export interface ReportOptions {
  readonly title: string;
  /** The name of the contender the others are compared with. */
  readonly baseline: string;
  /** The name of the contender whose time is no contender's merit; none when not given. */
  readonly floor?: string;
  readonly limits?: readonly Limit[];
}

export function createReport(measured: readonly Measured[], options: ReportOptions): Report {
  const floor = measured.find((it) => it.name === options.floor);
  const baseline = measured.find((it) => it.name === options.baseline);
  const ratioOf = (it: Measured, of: "wallMs" | "cpuMs") => {
    const floorMs = floor === undefined ? 0 : medianOf(floor, of);
    return (
      (medianOf(it, of) - floorMs) / (baseline ? medianOf(baseline, of) - floorMs : Number.NaN)
    );
  };
  return {
    title: options.title,
    machine: describeMachine(),
    date: new Date().toISOString().slice(0, 10),
    baseline: options.baseline,
    rows: measured.map((it) => ({
      ...rowOf(it),
      ratio: ratioOf(it, "wallMs"),
      cpuRatio: ratioOf(it, "cpuMs"),
    })),
    limits: options.limits ?? [],
  };
}

/** The limits that a row exceeds, a line each. */
export function findExceeded({ rows, limits }: Report): readonly string[] {
  return limits.flatMap(({ name, ratioMax }) => {
    const ratio = rows.find((it) => it.name === name)?.ratio ?? Number.NaN;
    if (ratio <= ratioMax) return [];
    return [`${name}: ${ratio.toFixed(2)} times the baseline, at most ${ratioMax}`];
  });
}

/** The report as a table that is also Markdown. */
export function formatReport(report: Report): string {
  const cells = [
    [
      "",
      "median",
      "half of the runs",
      "fastest",
      "CPU",
      "peak memory",
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
      `${(it.peakBytes / 2 ** 20).toFixed(0)} MiB`,
      ...[it.ratio, it.cpuRatio].map((n) => (it.name === report.baseline ? "1" : n.toFixed(2))),
      String(report.limits.find((limit) => limit.name === it.name)?.ratioMax ?? ""),
    ]),
  ];
  const runs = report.rows[0]?.runs ?? 0;
  return [
    `${report.title}: ${runs} interleaved runs, ${report.date}, ${report.machine}`,
    `ratios: of the medians, to \`${report.baseline}\``,
    "",
    ...formatTable(cells),
  ].join("\n");
}

export function formatMs(ms: number): string {
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The value below which the share `at` of `values` lies, between neighbours in proportion. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * at;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

function rowOf(it: Measured): Omit<Row, "ratio" | "cpuRatio"> {
  const walls = it.samples.map((sample) => sample.wallMs);
  return {
    name: it.name,
    runs: walls.length,
    medianMs: medianOf(it, "wallMs"),
    minMs: quantile(walls, 0),
    quartilesMs: [quantile(walls, 0.25), quantile(walls, 0.75)],
    cpuMs: medianOf(it, "cpuMs"),
    peakBytes: medianOf(it, "peakBytes"),
  };
}

function medianOf({ samples }: Measured, of: keyof Sample): number {
  return quantile(
    samples.map((it) => it[of]),
    0.5,
  );
}

function formatTable(cells: readonly (readonly string[])[]): readonly string[] {
  const [head = []] = cells;
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((it, i) => (i === 0 ? it.padEnd(widths[i] ?? 0) : it.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((it, i) => (i === 0 ? "-".repeat(it) : `${"-".repeat(it - 1)}:`)).join(" | ")} |`;
  const [first = "", ...rest] = cells.map(line);
  return [first, rule, ...rest];
}

function describeMachine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} x ${processors[0]?.model.trim() ?? "?"}, ${memory} GiB, Linux ${release()}`;
}
