// A throw-away repository: objects and refs written as files, moved into the real one by one transaction.
import {
  closeSync,
  existsSync,
  fchmodSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  CHECKSUM,
  type Commit,
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  formatCommit,
  type ObjectKind,
  objectPath,
  sha256,
} from "../ostree/objects.ts";
import { pullLocal } from "../programs/ostree/repo.ts";
import type { Context } from "../system/context.ts";
import {
  makeDirectories,
  makeDirectoriesSync,
  readDirectoryIfAny,
  removeFileSync,
  removeTreeSync,
} from "../system/files.ts";
import { listRefs } from "./files.ts";

/** Every temporary directory of a pull starts so; what a killed run left is found by it. */
const PREFIX = "bootc-pull-";

/** A new temporary directory on the repository's file system, reached through the same mount. */
export async function makeWorkDirectory(repo: string): Promise<string> {
  await makeDirectories(join(repo, "tmp"));
  return await mkdtemp(join(repo, "tmp", PREFIX));
}

/** The temporary directories of runs that are under way, were killed or could not remove them. */
export async function listWorkDirectories(repo: string): Promise<readonly string[]> {
  const names = await readDirectoryIfAny(join(repo, "tmp"));
  return names.filter((it) => it.startsWith(PREFIX)).map((it) => join(repo, "tmp", it));
}

/** Removes the temporary directories of runs that were killed. Only under the lock of the pull. */
export async function removeWorkDirectories(repo: string): Promise<void> {
  const ours = await listWorkDirectories(repo);
  for (const top of ours) await removeMarks(repo, top);
  await Promise.all(ours.map((it) => rm(it, { recursive: true, force: true })));
}

/** A killed transaction leaves marks of incomplete commits, also of those that the repository never got. */
async function removeMarks(repo: string, top: string): Promise<void> {
  for (const ref of await listRefs(top, "")) {
    const commit = readFileSync(join(top, "refs/heads", ref), "utf8").trim();
    // What a power cut left of the file is not a name.
    if (!CHECKSUM.test(commit) || existsSync(join(repo, objectPath(commit, "commit")))) continue;
    await rm(partialMark(repo, commit), { force: true });
  }
}

/** The file by which ostree knows that a commit lacks objects. */
export function partialMark(repo: string, commit: string): string {
  return join(repo, `state/${commit}.commitpartial`);
}

export interface Scratch {
  readonly top: string;
  readonly mode: ScratchMode;
  /** Where an object is to be written. */
  pathOf(checksum: string, kind: ObjectKind | "filez"): string;
  /** The directory with the objects that are there, each named by its checksum and kind: `CHECKSUM.file`. */
  readonly listing: string;
  /** Written at once and once only; small objects only. */
  add(checksum: string, kind: ObjectKind, bytes: Uint8Array): void;
  setRef(ref: string, commit: string): Promise<void>;
  /**
   * One transaction: afterwards the refs and all that belongs to them (or just `commits`) are in the
   * repository, durable, or nothing is.
   */
  pull(ctx: Context, commits?: readonly string[]): Promise<void>;
  /** At once, not by promises: for some thousand files these take many times as long. */
  remove(): void;
}

/**
 * What is in a scratch repository. `split`: objects as images carry them, compared with their checksums when
 * they are moved. `bare`: objects we have just hashed, which a repository of that mode takes by hard link.
 * `archive`: objects whose owners and attributes are in their content, which needs no privileges.
 */
export type ScratchMode = "split" | "bare" | "archive";

const MODES = { split: "bare-split-xattrs", bare: "bare", archive: "archive" } as const;

export async function createScratch(repo: string, mode: ScratchMode = "split"): Promise<Scratch> {
  const top = await makeWorkDirectory(repo);
  await mkdir(join(top, "objects"));
  for (const kind of ["heads", "mirrors", "remotes"]) {
    await makeDirectories(join(top, "refs", kind));
  }
  await writeFile(join(top, "config"), `[core]\nrepo_version=1\nmode=${MODES[mode]}\n`);
  const listing = join(top, LIST);
  await mkdir(listing);
  const pathOf = (checksum: string, kind: ObjectKind | "filez") => `${listing}/${checksum}.${kind}`;
  const add = createAdd(pathOf);
  // An encapsulated image leaves it out when /sysroot is its only empty directory.
  add(EMPTY_TREE, "dirtree", EMPTY_TREE_BYTES);
  return {
    top,
    mode,
    pathOf,
    add,
    listing,
    async setRef(ref, commit) {
      const path = join(top, "refs/heads", ref);
      await makeDirectories(dirname(path));
      await writeFile(path, `${commit}\n`);
      await chmod(path, 0o644);
    },
    async pull(ctx, commits = []) {
      arrange(top);
      await pullLocal(ctx, repo, { scratch: top, commits, isTrusted: mode === "bare" });
    },
    remove: () => removeTreeSync(top),
  };
}

/**
 * One directory for all objects: the 256 of a repository take longer to make and to remove than the objects
 * of a small layer.
 */
const LIST = "list";

/** Puts the objects where ostree looks for them. */
function arrange(top: string): void {
  const folders = new Set<string>();
  for (const name of readdirSync(join(top, LIST))) {
    const path = join(top, objectPathOf(name));
    const folder = dirname(path);
    if (!folders.has(folder)) makeDirectoriesSync(folder);
    folders.add(folder);
    renameSync(join(top, LIST, name), path);
  }
}

/** Where a repository has the object that a scratch repository lists as `name`. */
export function objectPathOf(name: string): string {
  return `objects/${name.slice(0, 2)}/${name.slice(2)}`;
}

function createAdd(pathOf: Scratch["pathOf"]): Scratch["add"] {
  const written = new Set<string>();
  return (checksum, kind, bytes) => {
    const name = `${checksum}.${kind}`;
    // An object that another layer needs already is never opened again: it could be left half-written.
    if (written.has(name)) return;
    writeObject(pathOf(checksum, kind), bytes);
    written.add(name);
  };
}

/** Readable for all, whatever the umask: where ostree links it, it stays as it is. */
function writeObject(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "wx", 0o644);
  try {
    writeFileSync(fd, bytes);
    fchmodSync(fd, 0o644);
  } catch (error) {
    removeFileSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Adds a commit object; its checksum. */
export function addCommit(scratch: Scratch, commit: Commit): string {
  const bytes = formatCommit(commit);
  const checksum = sha256(bytes);
  scratch.add(checksum, "commit", bytes);
  return checksum;
}
