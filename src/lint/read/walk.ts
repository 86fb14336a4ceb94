// Reads a directory tree once, with the attributes of every entry.
import { constants, lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { BootcError } from "../../errors.ts";
import { ifMissing } from "../../system/files.ts";
import { type Entry, type EntryKind, type ImageTree, makeTree } from "../tree.ts";

export interface WalkOptions {
  /** Absolute paths that something is mounted on: they are not a part of the tree. */
  readonly mountPoints: ReadonlySet<string>;
}

/** Larger files are not read into memory; the largest that a check opens is an initramfs. */
const READ_MAX = 512 << 20;

/** What decoding puts in place of bytes that are not UTF-8; a name may contain it by right, too. */
const REPLACEMENT = "\ufffd";

/**
 * The tree at the absolute path `root`. Synchronous, because awaiting each of 150,000 files takes several
 * times as long as asking for them; and from inside its directories, because the kernel then need not walk
 * the path of each file from the root.
 */
export function walkTree(root: string, { mountPoints }: WalkOptions): ImageTree {
  const prefix = root === "/" ? "/" : `${root}/`;
  const entries: Entry[] = [];
  const walk = { prefix, mountPoints, dev: lstatSync(root).dev, entries };
  const before = workingDirectory();
  try {
    visit(walk, "");
  } finally {
    goBack(before);
  }
  return makeTree(entries, (path) => readWhole(`${prefix}${path}`));
}

interface Walk extends WalkOptions {
  /** The root, with a slash at its end. */
  readonly prefix: string;
  readonly dev: number;
  readonly entries: Entry[];
}

/** Programs that we start later need a working directory that exists. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    return ifMissing("/")(error);
  }
}

/** One that is gone meanwhile, or that our user may not enter, cannot be entered again. */
function goBack(before: string): void {
  try {
    process.chdir(before);
  } catch {
    process.chdir("/");
  }
}

const IF_ANY = { throwIfNoEntry: false } as const;

function visit(walk: Walk, dir: string): void {
  const { prefix, mountPoints, dev, entries } = walk;
  const absolute = `${prefix}${dir}`;
  const names = enter(absolute).sort();
  for (const name of names) {
    const stats = lstatSync(name, IF_ANY);
    // Gone meanwhile, or not found under its decoded name.
    if (stats === undefined) continue;
    const path = dir === "" ? name : `${dir}/${name}`;
    const kind = kindOf(stats.mode);
    const isDirectory = kind === "directory";
    const isMounted = mountPoints.size > 0 && mountPoints.has(`${prefix}${path}`);
    // What is mounted over a file hides whatever the image has there.
    if (isMounted && !isDirectory) continue;
    const isMountPoint = isMounted || (isDirectory && stats.dev !== dev);
    entries.push(entryOf(path, stats, { name, kind, isMountPoint }));
    if (!isDirectory || isMountPoint) continue;
    visit(walk, path);
    goUp(absolute);
  }
  if (names.some((it) => it.includes(REPLACEMENT))) entries.push(...undecoded(dir));
}

/** Makes a directory the working directory; the names in it. */
function enter(path: string): string[] {
  return reading(path, () => {
    process.chdir(path);
    return readdirSync(".");
  });
}

/** Somebody may have moved the directory while we were below it. */
function goUp(path: string): void {
  reading(path, () => process.chdir(path));
}

function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new BootcError(`the directory \`${path}\` cannot be read`, { cause });
  }
}

interface Place {
  /** In the working directory. */
  readonly name: string | Buffer;
  readonly kind: EntryKind;
  readonly isMountPoint: boolean;
}

function entryOf(path: string, stats: Stats, { name, kind, isMountPoint }: Place): Entry {
  const target = kind === "link" ? readlinkSync(name) : undefined;
  const isOdd = target?.includes(REPLACEMENT) && !isUtf8(readlinkSync(name, "buffer"));
  return {
    path,
    kind,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    sizeBytes: stats.size,
    target,
    isMountPoint,
    inode: kind === "file" && stats.nlink > 1 ? `${stats.dev}:${stats.ino}` : undefined,
    notUtf8: isOdd ? "target" : undefined,
  };
}

/** The methods of `Stats` would test the mode one by one. */
function kindOf(mode: number): EntryKind {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return "file";
    case constants.S_IFDIR:
      return "directory";
    case constants.S_IFLNK:
      return "link";
    case constants.S_IFIFO:
      return "fifo";
    case constants.S_IFSOCK:
      return "socket";
    case constants.S_IFBLK:
      return "block device";
    default:
      return "character device";
  }
}

/** The entries of the working directory whose names are not UTF-8; what is below them stays unread. */
function undecoded(dir: string): readonly Entry[] {
  const names = readdirSync(".", { encoding: "buffer" }).filter((it) => !isUtf8(it));
  return names.flatMap((name) => {
    const stats = lstatSync(name, IF_ANY);
    if (stats === undefined) return [];
    const path = dir === "" ? showBytes(name) : `${dir}/${showBytes(name)}`;
    const place = { name, kind: kindOf(stats.mode), isMountPoint: false };
    return [{ ...entryOf(path, stats, place), notUtf8: "name" as const }];
  });
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8")).equals(bytes);
}

/** Bytes that are not ASCII in hexadecimal form: such a name has no other. */
function showBytes(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replaceAll(/[\x80-\xff]/g, (it) => `\\x${it.charCodeAt(0).toString(16)}`);
}

function readWhole(path: string): Buffer {
  const { size } = lstatSync(path);
  if (size > READ_MAX) throw new BootcError(`\`${path}\` is larger than ${READ_MAX >> 20} MiB`);
  return readFileSync(path);
}
