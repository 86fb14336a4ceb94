// Formats tables and times for people, with coloured states if the terminal has colours.
import { type BuildState, isFinal } from "./build-state.ts";

/** Columns as wide as their widest cell, two spaces apart. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>(
    (result, row) => row.map((cell, i) => Math.max(result[i] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Like `4m 02s` or `1h 04m`; empty if a time is unknown. Takes seconds since the epoch. */
export function formatDuration(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined) return "";
  const seconds = Math.max(0, Math.round(to - from));
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h ${two(Math.floor((seconds % 3600) / 60))}m`;
}

/** Formats seconds since the epoch like `2026-11-23 16:04:05Z`. */
export function formatTime(epoch: number | undefined): string {
  if (epoch === undefined) return "";
  return `${new Date(epoch * 1000).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** Colours the first occurrence of a state in a padded line. */
export function colorState(line: string, state: BuildState): string {
  const code = { failed: 31, canceled: 33, succeeded: 32, running: 36 }[state as string];
  if (code === undefined || (!isFinal(state) && state !== "running")) return line;
  return line.replace(state, `\u001b[${code}m${state}\u001b[0m`);
}
