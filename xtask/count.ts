// Counts as people type them: digits, and nothing else.
import { BootcError } from "../src/errors.ts";

/** Parses a number of at least `least`; otherwise fails with kind `usage`, and names `option`. */
export function parseCount(option: string, text: string, least = 1): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (count >= least) return count;
  throw new BootcError(`${option}: \`${text}\` is not a number of at least ${least}`, {
    kind: "usage",
  });
}
