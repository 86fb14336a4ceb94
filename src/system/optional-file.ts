// What may be missing without that being an error.
import { readdir, readFile, readlink } from "node:fs/promises";
import { errnoOf } from "../errors.ts";

export async function readBytesIfAny(path: string): Promise<Buffer | undefined> {
  return await unlessMissing(readFile(path), undefined);
}

/** The text of a file; undefined where there is a directory, or a link to one. */
export async function readTextUnlessDirectory(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "EISDIR") return undefined;
    throw error;
  }
}

/** The same where nothing may be at all, a link to nothing for instance. */
export async function readTextIfAny(path: string): Promise<string | undefined> {
  return await unlessMissing(readTextUnlessDirectory(path), undefined);
}

/** The names in a directory, sorted. */
export async function readNamesIfAny(path: string): Promise<readonly string[]> {
  return (await unlessMissing(readdir(path), [])).sort();
}

/** Where a symbolic link points; undefined for anything else. */
export async function readLinkIfAny(path: string): Promise<string | undefined> {
  try {
    return await unlessMissing(readlink(path), undefined);
  } catch (error) {
    if (errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
}

export function isForbidden(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error) ?? "");
}

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return otherwise;
    throw error;
  }
}
