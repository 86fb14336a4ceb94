// A digest of all files of a machine. Equal disks have equal facts, and a verb that is run again does the same there,
// so that each disk is judged once.
import { createHash } from "node:crypto";
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { openLibrary } from "../../src/native/ffi.ts";
import { openLibc } from "../../src/native/libc.ts";
import { formatCommit, parseCommit } from "../../src/ostree/objects.ts";

interface Found {
  readonly path: string;
  readonly stats: Stats;
  /** The content of a file, the target of a link. */
  readonly bytes: Buffer;
}

/** Names differ from run to run in these parts, and programs draw them at random. */
const RANDOM = /\b(bootc-[a-z]+-|tmp\.|staging-[0-9a-f-]{36}-)[A-Za-z0-9]{6}\b/g;
const COMMIT = /\/(?:objects\/([0-9a-f]{2})\/)?([0-9a-f]+)\.commit$/;
const OBJECTS = /\/objects\/[0-9a-f]{2}$/;
const TEXT_MAX_BYTES = 1 << 16;

export function takeImprint(top: string): string {
  const found = listFound(top);
  const dated = findDated(found);
  const folders = findFolders(found);
  const lines = found
    .filter(({ path }) => !OBJECTS.test(path) || folders.get(path) !== "dated")
    .map((it) => describe(it, dated))
    .sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 32);
}

function listFound(top: string): readonly Found[] {
  const found: Found[] = [];
  const visit = (path: string) => {
    const stats = lstatSync(path);
    found.push({ path: path.slice(top.length), stats, bytes: readBytes(path, stats) });
    if (stats.isDirectory()) for (const name of readdirSync(path)) visit(`${path}/${name}`);
  };
  visit(top);
  return found;
}

const NONE = Buffer.alloc(0);

/** With what else the disk has of it. */
function readBytes(path: string, stats: Stats): Buffer {
  const own = stats.isFile()
    ? readFileSync(path)
    : stats.isSymbolicLink()
      ? readlinkSync(path, "buffer")
      : NONE;
  const more = [...readXattrs(path), ...(stats.isDirectory() ? readFlags(path) : [])];
  return more.length === 0 ? own : Buffer.concat([own, ...more]);
}

function readXattrs(path: string): readonly Buffer[] {
  const libc = openLibc();
  if (libc === undefined) throw new Error("the C library cannot be called");
  return [...libc.listXattrs(path)]
    .sort()
    .flatMap((name) => [Buffer.from(`\0${name}=`), libc.getXattr(path, name) ?? NONE]);
}

/** Deployments are made immutable. */
function readFlags(path: string): readonly Buffer[] {
  if (!/\/deploy\/[0-9a-f]{64}\.\d+$/.test(path)) return [];
  const fd = openSync(path, "r");
  try {
    const flags = Buffer.alloc(8);
    return flagsOf(fd, flags) ? [flags] : [];
  } finally {
    closeSync(fd);
  }
}

const FS_IOC_GETFLAGS = 0x80086601n;
const library = openLibrary(null, {
  ioctl: { arguments: ["i32", "u64", "buffer"], return: "i32" },
});

/** False where the file system has none. */
function flagsOf(fd: number, flags: Buffer): boolean {
  if (library === undefined) throw new Error("the C library cannot be called");
  return library.functions.ioctl(fd, FS_IOC_GETFLAGS, flags) === 0;
}

/** Commits of layers have the time in them: gives other names to them, by all but the time. */
function findDated(found: readonly Found[]): ReadonlyMap<string, string> {
  const dated = new Map<string, string>();
  for (const { path, bytes } of found) {
    const [, start = "", rest = ""] = COMMIT.exec(path) ?? [];
    if (rest !== "") dated.set(`${start}${rest}`, digestOf(undate(bytes)));
  }
  return dated;
}

/** What a kill left of a commit stays as it is. */
function undate(bytes: Buffer): Uint8Array {
  try {
    return formatCommit({ ...parseCommit(bytes), timestampEpoch: 0 });
  } catch {
    return bytes;
  }
}

/** Folders of objects: one that has nothing but such commits has a name by chance as well. */
function findFolders(found: readonly Found[]): ReadonlyMap<string, "dated" | "other"> {
  const folders = new Map<string, "dated" | "other">();
  for (const { path } of found) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!OBJECTS.test(folder)) continue;
    if (!COMMIT.test(path)) folders.set(folder, "other");
    else if (!folders.has(folder)) folders.set(folder, "dated");
  }
  return folders;
}

function describe({ path, stats, bytes }: Found, dated: ReadonlyMap<string, string>): string {
  const { mode, uid, gid, nlink } = stats;
  const links = stats.isFile() ? nlink : 1;
  const isCommit = COMMIT.test(path);
  const content = isCommit ? undate(bytes) : rename(bytes, dated);
  return [renamePath(path, dated), mode, uid, gid, links, digestOf(content)].join(" ");
}

function renamePath(path: string, dated: ReadonlyMap<string, string>): string {
  const whole = path.replace(
    /\/objects\/([0-9a-f]{2})\/([0-9a-f]{62})(?=\.commit)/,
    (_, start, rest) => `/objects/${start}${rest}`,
  );
  return renameText(whole, dated);
}

function rename(bytes: Buffer, dated: ReadonlyMap<string, string>): Uint8Array {
  if (bytes.length === 0 || bytes.length > TEXT_MAX_BYTES) return bytes;
  return Buffer.from(renameText(bytes.toString("latin1"), dated), "latin1");
}

function renameText(text: string, dated: ReadonlyMap<string, string>): string {
  return text
    .replace(RANDOM, "$1*")
    .replace(/\b[0-9a-f]{64}\b/g, (name) => dated.get(name) ?? name);
}

const digestOf = (content: Uint8Array): string =>
  createHash("sha256").update(content).digest("hex").slice(0, 32);
