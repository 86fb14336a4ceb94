// What the commands of long runs have in common: their counts, what they say, and how they are interrupted.

export const say = (text: string) => void process.stderr.write(`${text}\n`);

/** The natural number that the option was given. */
export function parseCount(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error(`--${option} is \`${text}\`, which is not a natural number`);
}

/** Lets the first Ctrl-C, or a request to end, abort the run, which then cleans up. */
export function abortOnSignals(interrupt: AbortController): void {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => interrupt.abort());
  }
}
