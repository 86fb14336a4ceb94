// A tree of files in memory: everything in it is found inside it, whatever its links say.

export type EntryKind =
  | "directory"
  | "file"
  | "link"
  | "fifo"
  | "socket"
  | "block device"
  | "character device";

export interface Entry {
  /** Relative to the root, without a leading slash; empty for the root itself. */
  readonly path: string;
  readonly kind: EntryKind;
  /** The permission bits, with set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Where a link points; undefined for everything else. */
  readonly target: string | undefined;
  /** The same for all names of a file that has several, and for nothing else; undefined for a single name. */
  readonly inode: string | undefined;
  /** Something else is mounted on this directory, so only that it is there belongs to the tree. */
  readonly isMountPoint: boolean;
  /** What of the entry is not UTF-8; the path shows such bytes as `\xff`. */
  readonly notUtf8: "name" | "target" | undefined;
}

/** Paths are relative to the root; a leading slash does not matter. */
export interface ImageTree {
  /** Parents before their children, names in order; without the root, and without mount points. */
  readonly entries: readonly Entry[];
  /** Directories that something else is mounted on. */
  readonly mountPoints: readonly Entry[];
  /** What is at `path`, whose parents may be reached through links. */
  at(path: string): Entry | undefined;
  /** The same with a link at the end followed. */
  follow(path: string): Entry | undefined;
  /** The names in a directory, links followed, without mount points; none when there is no such directory. */
  names(path: string): readonly string[];
  /** Everything below a directory, links followed to the directory itself, without mount points. */
  below(path: string): readonly Entry[];
  /** The text of a file, links followed; undefined for everything else. */
  readText(path: string): string | undefined;
  readBytes(path: string): Buffer | undefined;
}

/** Reads a file of the tree. Its path leads through no link. */
export type ReadFile = (path: string) => Buffer | undefined;

/** A directory that nothing describes: the root, and those that only their content names. */
export function plainDirectory(path: string): Entry {
  return {
    path,
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    target: undefined,
    inode: undefined,
    isMountPoint: false,
    notUtf8: undefined,
  };
}

/** The root itself, which links can lead to. */
const ROOT = plainDirectory("");

/** Linux follows this many links in a row. */
const LINKS_MAX = 40;

interface Directory {
  /** In order of their paths; names that are not UTF-8 are left out, as nobody can ask for them. */
  readonly children: Entry[];
  /** Where what is below it begins in the list of all entries, and where it ends. */
  readonly start: number;
  end: number;
}

/** The tree of `entries`, which are in order: parents first, and everything below one next to it. */
export function makeTree(entries: readonly Entry[], readFile: ReadFile): ImageTree {
  const directories = findDirectories(entries);
  const exact = (path: string) => (path === "" ? ROOT : findEntry(directories, path));
  const isDirectory = (path: string) => directories.has(path);
  const resolve = (path: string, last: "follow" | "keep") =>
    resolveIn({ exact, isDirectory }, path, last);
  const follow = (path: string) => {
    const real = resolve(path, "follow");
    return real === undefined ? undefined : exact(real);
  };
  const directory = (path: string) => {
    const real = resolve(path, "follow");
    return real === undefined ? undefined : directories.get(real);
  };
  const readBytes = (path: string) => {
    const entry = follow(path);
    return entry?.kind === "file" ? readFile(entry.path) : undefined;
  };
  const mountPoints = entries.filter((it) => it.isMountPoint);
  const withoutMounts = (all: readonly Entry[]) =>
    mountPoints.length === 0 ? all : all.filter(isContent);
  return {
    entries: withoutMounts(entries),
    mountPoints,
    follow,
    readBytes,
    at: (path) => {
      const real = resolve(path, "keep");
      return real === undefined ? undefined : exact(real);
    },
    names: (path) =>
      (directory(path)?.children ?? []).filter(isContent).map((it) => baseName(it.path)),
    below: (path) => {
      const found = directory(path);
      return found === undefined ? [] : withoutMounts(entries.slice(found.start, found.end));
    },
    readText: (path) => readBytes(path)?.toString("utf8"),
  };
}

function isContent({ isMountPoint }: Entry): boolean {
  return !isMountPoint;
}

/** By path. Only directories: a map of all 150,000 entries would take longer than reading them. */
function findDirectories(entries: readonly Entry[]): ReadonlyMap<string, Directory> {
  const root: Directory = { children: [], start: 0, end: entries.length };
  const directories = new Map([["", root]]);
  const open = [{ prefix: "", directory: root }];
  let top = { prefix: "", directory: root };
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined) continue;
    while (!entry.path.startsWith(top.prefix)) {
      top.directory.end = i;
      open.pop();
      top = open.at(-1) ?? top;
    }
    if (entry.notUtf8 !== "name") top.directory.children.push(entry);
    if (entry.kind !== "directory") continue;
    top = {
      prefix: `${entry.path}/`,
      directory: { children: [], start: i + 1, end: entries.length },
    };
    open.push(top);
    directories.set(entry.path, top.directory);
  }
  return directories;
}

function findEntry(directories: ReadonlyMap<string, Directory>, path: string): Entry | undefined {
  const siblings = directories.get(parentOf(path))?.children ?? [];
  let [low, high] = [0, siblings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = siblings[middle];
    if (entry === undefined || entry.path === path) return entry;
    if (entry.path < path) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

interface Lookup {
  readonly exact: (path: string) => Entry | undefined;
  /** Whether a directory itself, and not a link to one, is at the path. */
  readonly isDirectory: (path: string) => boolean;
}

/** Undefined when links lead in a circle. The path need not exist. */
function resolveIn(lookup: Lookup, path: string, last: "follow" | "keep"): string | undefined {
  let [from, rest] = ["", path];
  // Nearly all paths and targets lead through directories alone, which are then looked up at once.
  for (let links = 0; links <= LINKS_MAX; links++) {
    const direct = joinDirectly(from, rest);
    const parent = direct === undefined ? undefined : parentOf(direct);
    if (direct === undefined || parent === undefined || !lookup.isDirectory(parent)) {
      return resolveParts(lookup.exact, { from, rest, links }, last);
    }
    const target = last === "keep" ? undefined : lookup.exact(direct)?.target;
    if (target === undefined) return direct;
    [from, rest] = [parent, target];
  }
  return undefined;
}

/** `rest` below the directory `from`; undefined when it has more than names, behind `..` at its beginning. */
function joinDirectly(from: string, rest: string): string | undefined {
  let [base, left] = rest.startsWith("/") ? ["", rest.slice(1)] : [from, rest];
  while (left.startsWith("../")) [base, left] = [parentOf(base), left.slice(3)];
  if (left === "" || /(^|\/)\.{0,2}(\/|$)/.test(left)) return undefined;
  return base === "" ? left : `${base}/${left}`;
}

interface Way {
  readonly from: string;
  readonly rest: string;
  /** How many links have been followed. */
  readonly links: number;
}

function resolveParts(
  exact: Lookup["exact"],
  way: Way,
  last: "follow" | "keep",
): string | undefined {
  const left = partsOf(way.rest);
  let done = way.rest.startsWith("/") ? [] : partsOf(way.from);
  let { links } = way;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "..") {
      done.pop();
      continue;
    }
    done.push(part);
    const target = left.length === 0 && last === "keep" ? undefined : exact(done.join("/"))?.target;
    if (target === undefined) continue;
    links += 1;
    if (links > LINKS_MAX) return undefined;
    if (target.startsWith("/")) done = [];
    else done.pop();
    left.unshift(...partsOf(target));
  }
  return done.join("/");
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function partsOf(path: string): string[] {
  return path.split("/").filter((it) => it !== "" && it !== ".");
}
