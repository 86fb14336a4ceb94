// Reads a directory tree once, with the attributes of every entry.
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { BootcError } from "../../errors.ts";
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
 * times as long as asking for them.
 */
export function walkTree(root: string, { mountPoints }: WalkOptions): ImageTree {
  const prefix = root === "/" ? "/" : `${root}/`;
  const { dev } = lstatSync(root);
  const entries: Entry[] = [];
  const visit = (dir: string) => {
    const names = readdirSync(`${prefix}${dir}`).sort();
    for (const name of names) {
      const path = dir === "" ? name : `${dir}/${name}`;
      const absolute = `${prefix}${path}`;
      const stats = lstatSync(absolute, { throwIfNoEntry: false });
      // Gone meanwhile, or not found under its decoded name.
      if (stats === undefined) continue;
      const isMounted = mountPoints.has(absolute);
      // What is mounted over a file hides whatever the image has there.
      if (isMounted && !stats.isDirectory()) continue;
      const isMountPoint = isMounted || (stats.isDirectory() && stats.dev !== dev);
      entries.push(entryOf(path, stats, { absolute, isMountPoint }));
      if (stats.isDirectory() && !isMountPoint) visit(path);
    }
    if (names.some((it) => it.includes(REPLACEMENT))) entries.push(...undecoded(prefix, dir));
  };
  visit("");
  return makeTree(entries, (path) => readWhole(`${prefix}${path}`));
}

interface Place {
  readonly absolute: string | Buffer;
  readonly isMountPoint: boolean;
}

function entryOf(path: string, stats: Stats, { absolute, isMountPoint }: Place): Entry {
  const kind = kindOf(stats);
  const target = kind === "link" ? readlinkSync(absolute) : undefined;
  const isOdd = target?.includes(REPLACEMENT) && !isUtf8(readlinkSync(absolute, "buffer"));
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

function kindOf(stats: Stats): EntryKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "link";
  if (stats.isFIFO()) return "fifo";
  if (stats.isSocket()) return "socket";
  return stats.isBlockDevice() ? "block device" : "character device";
}

/** The entries of a directory whose names are not UTF-8; what is below them stays unread. */
function undecoded(prefix: string, dir: string): readonly Entry[] {
  const names = readdirSync(`${prefix}${dir}`, { encoding: "buffer" }).filter((it) => !isUtf8(it));
  return names.flatMap((name) => {
    const absolute = Buffer.concat([Buffer.from(`${prefix}${dir}/`), name]);
    const stats = lstatSync(absolute, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    const path = dir === "" ? showBytes(name) : `${dir}/${showBytes(name)}`;
    return [
      { ...entryOf(path, stats, { absolute, isMountPoint: false }), notUtf8: "name" as const },
    ];
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
