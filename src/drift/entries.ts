// The entries of a tree of files as they are on the disk. No link is followed.
import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { BootcError, errnoOf } from "../errors.ts";
import { type Libc, openLibc } from "../native/libc.ts";

export type DriftKind = "file" | "directory" | "link";

export interface DriftEntry {
  readonly kind: DriftKind;
  /** Type and permissions, as in stat. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Where a symbolic link points. */
  readonly target: string | undefined;
  /** Its SELinux label; undefined without one, and where attributes cannot be read. */
  readonly label: string | undefined;
  /** Its other extended attributes, by name. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** Entries by path below the top, which is the empty path. Parents come before what they contain. */
export type Entries = ReadonlyMap<string, DriftEntry>;

export interface ReadEntries {
  readonly entries: Entries;
  /** Directories with a name that is not UTF-8, which no path of ours can name. */
  readonly unnamed: readonly string[];
}

export const LABEL_XATTR = "security.selinux";

/** Reads everything below the directory `top`; sockets, pipes and devices are left out. */
export function readTreeEntries(top: string): ReadEntries {
  const libc = openLibc();
  const entries = new Map<string, DriftEntry>();
  const unnamed = new Set<string>();
  const visit = (path: string): void => {
    const entry = readEntry(join(top, path), libc);
    if (entry === undefined) return;
    entries.set(path, entry);
    if (entry.kind !== "directory") return;
    for (const name of readdirSync(join(top, path)).sort()) {
      if (isUnnamed(join(top, path), name)) unnamed.add(path);
      else visit(join(path, name));
    }
  };
  requireDirectory(top);
  visit("");
  return { entries, unnamed: [...unnamed] };
}

/** What is at a path of the disk; undefined for a device, a pipe, a socket, and where there is nothing. */
export function readEntry(file: string, libc = openLibc()): DriftEntry | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  const kind = found?.isFile()
    ? "file"
    : found?.isDirectory()
      ? "directory"
      : found?.isSymbolicLink()
        ? "link"
        : undefined;
  if (found === undefined || kind === undefined) return undefined;
  const { label, xattrs } = readAttributes(file, libc);
  const target = kind === "link" ? readlinkSync(file) : undefined;
  const { mode, uid, gid, size } = found;
  return { kind, mode, uid, gid, sizeBytes: size, target, label, xattrs };
}

/** Attributes by which an overlay remembers what it covers. */
const OVERLAY = /^(trusted|user)\.overlay\./;

function readAttributes(
  file: string,
  libc: Libc | undefined,
): Pick<DriftEntry, "label" | "xattrs"> {
  const xattrs = new Map<string, Buffer>();
  for (const name of libc === undefined ? [] : listXattrs(file, libc)) {
    const value = OVERLAY.test(name) ? undefined : libc?.getXattr(file, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  const label = xattrs.get(LABEL_XATTR)?.toString("latin1").replace(/\0$/, "");
  xattrs.delete(LABEL_XATTR);
  return { label, xattrs };
}

function listXattrs(file: string, libc: Libc): readonly string[] {
  try {
    return libc.listXattrs(file);
  } catch (error) {
    // The file system has no attributes.
    if (errnoOf(error) === "ENOTSUP" || errnoOf(error) === "EOPNOTSUPP") return [];
    throw error;
  }
}

/** Node replaces what is not UTF-8, and the replaced name leads nowhere. */
function isUnnamed(dir: string, name: string): boolean {
  if (!name.includes("\ufffd")) return false;
  return lstatSync(join(dir, name), { throwIfNoEntry: false }) === undefined;
}

function requireDirectory(top: string): void {
  if (statSync(top, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new BootcError(`\`${top}\` is not a directory`, { kind: "usage" });
}
