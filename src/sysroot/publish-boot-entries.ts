// Leaves a copy of the boot loader's entries for users who may not read them.
import { chmod, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Context } from "../system/context.ts";
import { makeDirectories, readLinkIfAny } from "../system/files.ts";
import { ENTRIES_COPY, type EntryFile, readEntryFiles, readOstreeLinks } from "./boot-entries.ts";

/**
 * Leaves the copy where users cannot read the entries themselves. Needs root. The package's script does the
 * same at boot, where starting us would cost too much; `tests/cli/boot-scripts.test.ts` compares them.
 */
export async function publishBootEntries(ctx: Context): Promise<void> {
  const files = await readEntryFiles(ctx);
  if (files === undefined || files.length === 0 || !(await areClosedToUsers(ctx))) return;
  const copy = join(ctx.root, ENTRIES_COPY);
  const name = `boot-entries.${process.pid}`;
  const made = join(dirname(copy), name);
  const old = await readLinkIfAny(copy);
  try {
    await writeCopy(made, files, await readOstreeLinks(ctx));
    await replaceLink(copy, name);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
  if (old?.startsWith("boot-entries.") && old !== name) {
    await rm(join(dirname(copy), old), { recursive: true, force: true });
  }
}

/** Readable for everybody, whatever the umask. */
async function writeCopy(
  made: string,
  files: readonly EntryFile[],
  links: Readonly<Record<string, string>>,
): Promise<void> {
  await rm(made, { recursive: true, force: true });
  await makeDirectories(made);
  for (const dir of [dirname(made), made]) await chmod(dir, 0o755);
  for (const { name, bytes, problem } of files) {
    if (problem !== undefined) continue;
    await writeFile(join(made, name), bytes);
    await chmod(join(made, name), 0o644);
  }
  for (const [name, target] of Object.entries(links)) await symlink(target, join(made, name));
}

/** Replaces the link at `path` in one step. */
async function replaceLink(path: string, target: string): Promise<void> {
  const made = join(dirname(path), `${target}.link`);
  await rm(made, { force: true });
  await symlink(target, made);
  try {
    await rename(made, path);
  } catch (error) {
    await rm(made);
    throw error;
  }
}

/** Whether users cannot read the entries or a directory above them. */
async function areClosedToUsers(ctx: Context): Promise<boolean> {
  const modes = await Promise.all(
    ["boot", "boot/loader", "boot/loader/entries"].map(
      async (it) => (await stat(join(ctx.root, it))).mode,
    ),
  );
  return modes.some((mode) => (mode & 0o005) !== 0o005);
}
