// Durations as people type them: `90m`, `2h`, `30s`.
import { BootcError } from "../../../src/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Parses milliseconds; otherwise fails with kind `usage`, and names `option`. */
export function parseDuration(text: string, option: string): number {
  const [, value, unit = "s"] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text.trim()) ?? [];
  if (value !== undefined) return Number(value) * (UNIT_MS[unit || "s"] ?? 1000);
  throw new BootcError(`${option}: \`${text}\` is not a duration`, {
    kind: "usage",
    hint: "write seconds, minutes or hours: 30s, 90m, 2h",
  });
}
