// A cache between runs, with names derived from the inputs: nothing is made twice from the same inputs.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, readFileIfAny } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";
import { sha256Of, sha256OfFile } from "./digest.ts";
import { writeWhole } from "./write-whole.ts";

/** The folder of the cache: `$BOOTC_CACHE`, which several checkouts may share, or one below target/. */
export function cacheFolder({ ctx, top }: Tree): string {
  return ctx.env.BOOTC_CACHE || join(top, "target", "cache");
}

export interface MadeOnce {
  /** A word that says what it is; part of the file's name. */
  readonly name: string;
  /** The end of the file's name, with its dot. */
  readonly suffix: string;
  /** Everything that the result depends on, as text: digests, options, versions. */
  readonly inputs: readonly string[];
}

/**
 * The path of what `make` makes from `inputs`. Calls `make`, with a temporary path to write to, only if the
 * cache has no result, or one whose digest is no longer the recorded one.
 */
export async function makeOnce(
  tree: Tree,
  { name, suffix, inputs }: MadeOnce,
  make: (temp: string) => Promise<void>,
): Promise<string> {
  const key = sha256Of(JSON.stringify(inputs)).slice(0, 32);
  const path = join(cacheFolder(tree), "made", `${name}-${key}${suffix}`);
  if (await isIntact(path)) return path;
  await rm(`${path}.sha256`, { force: true });
  await writeWhole(path, make);
  const digest = await sha256OfFile(path);
  await writeWhole(`${path}.sha256`, (temp) => writeFile(temp, digest));
  return path;
}

async function isIntact(path: string): Promise<boolean> {
  const recorded = await readFileIfAny(`${path}.sha256`);
  if (recorded === undefined || !(await exists(path))) return false;
  return (await sha256OfFile(path)) === recorded;
}
