// Copies entries from one tree to another with all their attributes. What appears is complete.
import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { BootcError, errnoOf } from "../errors.ts";
import { openLibc } from "../native/libc.ts";
import { flushDirectory, ifMissing } from "../system/files.ts";
import { type DriftEntry, LABEL_XATTR, readEntry } from "./entries.ts";

export interface TreePair {
  readonly from: string;
  readonly to: string;
  /** The label for what is copied to `path`; undefined for that of the original. */
  readonly labelFor: (path: string, entry: DriftEntry) => string | undefined;
}

/**
 * Copies what is at `path` to the same path of the other tree, with everything below it. Replaces what is
 * there, but never a directory. Nobody sees a part of it: the copy is made beside its place and flushed.
 */
export async function copyEntry(pair: TreePair, path: string): Promise<void> {
  const place = join(pair.to, path);
  // The name itself may be as long as names can be.
  const temporary = join(dirname(place), `.bootc-${process.pid}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  try {
    await makeCopy(pair, path, temporary);
    await movePlace(temporary, place);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await flushDirectory(dirname(place));
}

async function makeCopy(pair: TreePair, path: string, at: string): Promise<void> {
  const entry = readEntry(join(pair.from, path));
  if (entry === undefined) return;
  switch (entry.kind) {
    case "directory":
      await mkdir(at, { mode: 0o700 });
      for (const name of await readdir(join(pair.from, path))) {
        await makeCopy(pair, join(path, name), join(at, name));
      }
      break;
    case "link":
      await symlink(entry.target ?? "", at);
      break;
    case "file":
      await copyFile(
        join(pair.from, path),
        at,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
      break;
  }
  await setAttributes(at, entry, pair.labelFor(path, entry) ?? entry.label);
  if (entry.kind !== "link") await flush(at);
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename cannot put a directory in the place of a file, so the two swap their names. */
async function movePlace(temporary: string, place: string): Promise<void> {
  const [fresh, found] = await Promise.all(
    [temporary, place].map((it) => lstat(it).catch(ifMissing(undefined))),
  );
  if (found?.isDirectory() === true) {
    throw new BootcError(`\`${place}\` is a directory`, { hint: "move it away first" });
  }
  if (fresh?.isDirectory() !== true || found === undefined) return await rename(temporary, place);
  if (exchange(temporary, place)) return;
  await rm(place);
  await rename(temporary, place);
}

/** False where two names cannot be swapped, as on some overlays. */
function exchange(one: string, other: string): boolean {
  const libc = openLibc();
  if (libc === undefined) return false;
  try {
    libc.exchangeNames(one, other);
    return true;
  } catch (error) {
    if (["EINVAL", "EXDEV", "ENOSYS"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** Makes the directory at `path`, or gives the one that is there the attributes of the original. */
export async function copyDirectoryItself(pair: TreePair, path: string): Promise<void> {
  const place = join(pair.to, path);
  const entry = readEntry(join(pair.from, path));
  if (entry?.kind !== "directory") throw new Error("unreachable: a directory was planned");
  if ((await lstat(place).catch(ifMissing(undefined))) === undefined) {
    await mkdir(place, { mode: 0o700 });
  }
  await setAttributes(place, entry, pair.labelFor(path, entry) ?? entry.label);
  await flushDirectory(dirname(place));
}

async function setAttributes(
  file: string,
  { kind, mode, uid, gid, xattrs }: DriftEntry,
  label: string | undefined,
): Promise<void> {
  await lchown(file, uid, gid);
  // Comes second, since a change of the owner clears set-id bits. Links have no permissions.
  if (kind !== "link") await chmod(file, mode & 0o7777);
  const libc = openLibc();
  if (libc === undefined) return;
  const before = readEntry(file, libc);
  for (const name of before?.xattrs.keys() ?? []) {
    if (!xattrs.has(name)) libc.removeXattr(file, name);
  }
  for (const [name, value] of xattrs) libc.setXattr(file, name, value);
  if (label !== undefined && before?.label !== label) {
    libc.setXattr(file, LABEL_XATTR, Buffer.from(`${label}\0`, "latin1"));
  }
}
