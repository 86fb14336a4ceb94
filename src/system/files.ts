// Reads files that may be missing, and replaces files so that nobody ever sees half of one.
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync } from "node:fs";
import { mkdir, open, readFile, readlink, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../errors.ts";

/** The text of a file; undefined when the file is missing. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(ifMissing(undefined));
}

export async function readBytesIfAny(path: string): Promise<Buffer | undefined> {
  return await readFile(path).catch(ifMissing(undefined));
}

/** What stat gives for /dev/null, on Linux always the same. */
const NULL_DEVICE = 0x103;

/**
 * The text of a file, or of a link to one; empty for a link to /dev/null, as administrators mask files.
 * Undefined for anything else: reading a fifo would wait for a writer, and no signal ends that.
 */
export async function readRegularFile(path: string): Promise<string | undefined> {
  const found = await stat(path);
  if (found.isCharacterDevice() && found.rdev === NULL_DEVICE) return "";
  return found.isFile() ? await readFile(path, "utf8") : undefined;
}

/**
 * Makes a directory and those above it, unless they exist. It says why one cannot be made; Node's `mkdir`
 * with `recursive` calls most failures of a file system ENOENT.
 */
export async function makeDirectories(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) {
      await makeDirectories(dirname(path), mode);
      await mkdir(path, mode).catch(throwUnlessDirectory(path));
    } else throwUnlessDirectory(path)(error);
  }
}

/** The same, synchronously. */
export function makeDirectoriesSync(path: string, mode?: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) {
      throwUnlessDirectory(path)(error);
      return;
    }
    makeDirectoriesSync(dirname(path), mode);
    try {
      mkdirSync(path, mode);
    } catch (again) {
      throwUnlessDirectory(path)(again);
    }
  }
}

/** Removes a file, if there is one. Node's `rmSync` calls most failures of a file system unknown. */
export function removeFileSync(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    ifAbsent(undefined)(error);
  }
}

/** The same for a directory and everything in it. */
export function removeTreeSync(dir: string): void {
  if (!existsSync(dir)) return;
  for (const it of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, it.name);
    if (it.isDirectory()) removeTreeSync(path);
    else removeFileSync(path);
  }
  rmdirSync(dir);
}

function throwUnlessDirectory(path: string): (error: unknown) => void {
  return (error) => {
    const isThere = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (errnoOf(error) !== "EEXIST" || !isThere()) throw error;
  };
}

/** The names in a directory, sorted; none if it is missing. Reads synchronously, as `exists` does. */
export async function readNamesIfAny(path: string): Promise<readonly string[]> {
  return readNames(path, ifMissing([]));
}

/** The same, but a file in the place of the directory is an error. */
export async function readDirectoryIfAny(path: string): Promise<readonly string[]> {
  return readNames(path, ifAbsent([]));
}

function readNames(
  path: string,
  otherwise: (error: unknown) => readonly string[],
): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    return otherwise(error);
  }
}

/** Where a symbolic link points; undefined for anything else. */
export async function readLinkIfAny(path: string): Promise<string | undefined> {
  return await readlink(path).catch(ifError([...MISSING, "EINVAL"], undefined));
}

/**
 * Whether something is at `path`; a dangling link is nothing. Asked synchronously: going to another thread
 * and back takes longer, and the first time, when Node starts its threads, by milliseconds.
 */
export async function exists(path: string): Promise<boolean> {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    return ifMissing(false)(error);
  }
}

/** Whether both paths lead to the same file. The second may be missing. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  if (!(await exists(other))) return false;
  const [a, b] = await Promise.all([one, other].map((it) => stat(it, { bigint: true })));
  return a?.dev === b?.dev && a?.ino === b?.ino;
}

const MISSING = ["ENOENT", "ENOTDIR"];

/** Whether an error says that nothing is at a path. */
export function isMissing(error: unknown): boolean {
  return MISSING.includes(errnoOf(error) ?? "");
}

export function isForbidden(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error) ?? "");
}

/** For `catch`: gives `answer` where nothing is at a path, and throws any other error. */
export function ifMissing<T>(answer: T): (error: unknown) => T {
  return ifError(MISSING, answer);
}

/** The same, but a file in the place of a directory is an error. */
export function ifAbsent<T>(answer: T): (error: unknown) => T {
  return ifError(["ENOENT"], answer);
}

/** The same, but a directory in the place of a file counts as missing. */
export function ifNoFile<T>(answer: T): (error: unknown) => T {
  return ifError([...MISSING, "EISDIR"], answer);
}

function ifError<T>(names: readonly string[], answer: T): (error: unknown) => T {
  return (error) => {
    if (names.includes(errnoOf(error) ?? "")) return answer;
    throw error;
  };
}

export interface ReplaceOptions {
  /** Permissions of a new file; an existing one keeps its own, and its owner. */
  readonly mode?: number;
}

/**
 * Writes `content` to `path` completely or not at all, even in a power cut: writes and flushes a file beside
 * it, renames that file, and flushes the directory.
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
    // The umask must not change the requested mode.
    await file.chmod(mode);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes sure that names created in `dir` are on the disk. */
export async function flushDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
