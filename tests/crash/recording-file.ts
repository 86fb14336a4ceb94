// The folder of a recording: the disk before it, the log, the images, and what was known when it was made.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Interval } from "./disk-log.ts";
import type { Layout } from "./file-systems.ts";
import type { BootFiles } from "./images.ts";
import { type KnownSystem, SIDES, type Side } from "./judge.ts";
import { allowedIn, type Phase } from "./recordings.ts";

export interface Made {
  readonly name: string;
  /** When it was made; the numbers of states belong to it alone. */
  readonly date: string;
  readonly layout: Layout;
  /** The digest of what its systems are made of, if they boot. */
  readonly parts?: string;
  /** Where in the log each phase begins. */
  readonly marks: readonly Mark[];
  readonly old: KnownSystem;
  readonly new: KnownSystem;
  /** Systems that are listed before, besides the default. */
  readonly others: readonly KnownSystem[];
  /** The image that the next upgrade finds. */
  readonly next: BootFiles & { readonly version: string };
}

export interface Mark {
  readonly phase: Phase;
  readonly at: number;
}

const TOP = join(import.meta.dirname, "../..");

/** The name of a recording whose systems boot. */
export const bootingName = (name: string) => `${name}-booting`;

export function recordingPaths(name: string) {
  const dir = join(TOP, "target/crash/recordings", name);
  return {
    dir,
    base: join(dir, "base.img"),
    log: join(dir, "log"),
    made: join(dir, "recording.json"),
    image: (version: number | string) => join(dir, `os-${version}`),
  };
}

export async function readMade(name: string): Promise<Made | undefined> {
  const text = await readFile(recordingPaths(name).made, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as Made);
}

export async function writeMade(made: Made): Promise<void> {
  await writeFile(recordingPaths(made.name).made, `${JSON.stringify(made, undefined, 2)}\n`);
}

/** The phase in which an interval ends, and what may be the default after a power cut within it. */
export function placeOf(
  marks: readonly Mark[],
  { from, to }: Interval,
): { readonly phase: Phase; readonly allowed: readonly Side[] } {
  // The phase that a byte of the log belongs to has begun at it or before.
  const first = marks.findLastIndex((it) => it.at <= from);
  const last = marks.findLastIndex((it) => it.at < to);
  const phases = marks.slice(Math.max(first, 0), Math.max(last, 0) + 1).map((it) => it.phase);
  const allowed = SIDES.filter((side) => phases.some((it) => allowedIn(it).includes(side)));
  return { phase: phases.at(-1) ?? "pull", allowed };
}
