// What the commands of long runs have in common: what they say, and how they are interrupted.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

const TOP = join(import.meta.dirname, "..");

export const say = (text: string) => void process.stderr.write(`${text}\n`);

/** Lets the first Ctrl-C, or a request to end, abort the run, which then cleans up. */
export function abortOnSignals(interrupt: AbortController): void {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => interrupt.abort());
  }
}

/** Waits until all workers have ended, and only then fails: nobody removes what others still use. */
export async function allEnded(workers: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(workers)).find((it) => it.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Writes a file, whose path is relative to the checkout, and makes its folder. */
export async function writeTo(path: string, text: string): Promise<void> {
  const file = resolve(TOP, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
