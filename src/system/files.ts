// Files read when they are there, and replaced so that they are never seen half written.
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../errors.ts";

/** The text of a file, undefined when there is none. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(ifMissing(undefined));
}

/** Whether something is at `path`; a dangling link is nothing. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, ifMissing(false));
}

/** Whether two paths lead to one file. The second may be missing. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  if (!(await exists(other))) return false;
  const [a, b] = await Promise.all([stat(one), stat(other)]);
  return a.dev === b.dev && a.ino === b.ino;
}

function ifMissing<T>(answer: T): (error: unknown) => T {
  return (error) => {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return answer;
    throw error;
  };
}

export interface ReplaceOptions {
  /** Permissions of a new file; an existing one keeps its own, and its owner. */
  readonly mode?: number;
}

/**
 * Writes `content` to `path` whole or not at all, safe from a power cut: into a file beside it,
 * flushed, renamed, and the directory flushed.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  options: ReplaceOptions = {},
): Promise<void> {
  const before = await stat(path).catch(ifMissing(undefined));
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await writeFlushed(temporary, content, {
      mode: before === undefined ? (options.mode ?? 0o644) : before.mode & 0o7777,
      owner: before,
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushDirectory(dirname(path));
}

interface Attributes {
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

async function writeFlushed(
  path: string,
  content: string | Uint8Array,
  { mode, owner }: Attributes,
): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(content);
    // The umask has no say in what is asked for.
    await file.chmod(mode);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes sure names created in `dir` are on the disk. */
export async function flushDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
