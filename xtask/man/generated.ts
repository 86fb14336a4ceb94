// Files generated from the command line's definitions: writes them to a folder, or checks a folder.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { ifMissing } from "../../src/system/files.ts";
import { writeWhole } from "../archive/write-whole.ts";

/** Texts by path below a folder. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/** Makes `folder` contain exactly `files`. */
export async function writeGenerated(folder: string, files: GeneratedFiles): Promise<void> {
  for (const path of await listFiles(folder)) if (!files.has(path)) await rm(join(folder, path));
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeWhole(join(folder, path), (temp) => writeFile(temp, text));
  }
}

/** Fails unless `folder` is up to date, and names every missing, stale or left-over file. */
export async function requireFresh(
  folder: string,
  files: GeneratedFiles,
  command: string,
): Promise<void> {
  const there = await listFiles(folder);
  const extra = there.filter((it) => !files.has(it)).map((it) => `${it} is left over`);
  const wrong = await Promise.all(
    [...files].map(async ([path, text]) => {
      if (!there.includes(path)) return [`${path} is missing`];
      return (await readFile(join(folder, path), "utf8")) === text ? [] : [`${path} is stale`];
    }),
  );
  const problems = [...wrong.flat(), ...extra].sort();
  if (problems.length === 0) return;
  throw new BootcError(`${folder} is not up to date: ${problems.join(", ")}`, {
    hint: `run \`${command}\``,
  });
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const options = { recursive: true, withFileTypes: true } as const;
  const found = await readdir(folder, options).catch(ifMissing([]));
  return found
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1));
}
