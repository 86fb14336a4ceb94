// What is kept between runs, named by what it was made from: nothing is made twice from the same inputs.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, readFileIfAny } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";
import { sha256Of, sha256OfFile } from "./digest.ts";
import { writeWhole } from "./write-whole.ts";

/** The folder of what is kept between runs: `$BOOTC_CACHE` when set, which several checkouts may share. */
export function cacheFolder({ ctx, top }: Tree): string {
  return ctx.env.BOOTC_CACHE || join(top, "target", "cache");
}

export interface MadeOnce {
  /** What it is, a word: part of the file's name. */
  readonly name: string;
  /** How the file's name ends, with its dot. */
  readonly suffix: string;
  /** All that the result depends on, as text: digests, options, versions. */
  readonly inputs: readonly string[];
}

/**
 * The path of what `make` makes from `inputs`; made now only if it was not made before. `make` writes
 * to the temporary path it is given. What was kept is used only when its digest is still the one noted.
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
  const noted = await readFileIfAny(`${path}.sha256`);
  if (noted === undefined || !(await exists(path))) return false;
  return (await sha256OfFile(path)) === noted;
}
