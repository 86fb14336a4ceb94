// Moves a scratch repository into the real one: a transaction as ostree's, without its process, without
// linking and unlinking each object, and with a few flushes instead of one for each directory and ref.
//
// The order, for a power cut or a kill at any moment:
//   1. the marks of incomplete commits, then one flush: content and marks are on the disk
//   2. the objects get their names; another flush: the names are on the disk
//   3. the marks go, the refs get their names, their directories are flushed
import { existsSync, readdirSync, renameSync, rmdirSync, utimesSync, writeFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errnoOf } from "../errors.ts";
import { openLibc } from "../native/libc.ts";
import { keyfileFlag, keyfileValue, parseKeyfile } from "../ostree/keyfile.ts";
import { objectPath } from "../ostree/objects.ts";
import { syncFilesystem } from "../programs/disk/fs.ts";
import type { Context } from "../system/context.ts";
import { flushDirectory, ifMissing, makeDirectoriesSync, removeFileSync } from "../system/files.ts";
import { listRefs, readRef } from "./files.ts";
import { withTransactionLock } from "./ostree-lock.ts";
import { objectPathOf, partialMark, type Scratch } from "./scratch.ts";
import { type ObjectPlaces, requireCommitObject, requireWhole } from "./whole-commit.ts";

export interface Transaction {
  readonly repo: string;
  /** All of it is moved, so it must not have objects that no ref leads to. */
  readonly scratch: Scratch;
  /** Commits with objects that are not in the scratch repository: the repository must have them. */
  readonly unproven: readonly string[];
  /** Whole commits of the repository, of which the unproven ones consist for the most part. */
  readonly known?: readonly string[];
}

/**
 * One transaction: afterwards the refs of the scratch repository and all that belongs to them are in the
 * repository, durable, or no ref is. False where only ostree can carry it out; nothing has been done then.
 */
export async function tryPublish(ctx: Context, transaction: Transaction): Promise<boolean> {
  const { repo, scratch } = transaction;
  const libc = openLibc();
  const settings = decideSettings(await readFile(join(repo, "config"), "utf8"));
  const isOurs = scratch.mode === "bare" && (await isOneFileSystem(repo, scratch.top));
  if (libc === undefined || settings === undefined || !isOurs) return false;
  const { lockTimeoutMs: timeoutMs, isFlushed } = settings;
  const flushes = isFlushed ? realFlushes(ctx, scratch.top) : NO_FLUSHES;
  await withTransactionLock(ctx, { repo, libc, timeoutMs }, () => move(ctx, transaction, flushes));
  return true;
}

interface Flushes {
  fileSystem(): Promise<void>;
  directory(path: string): Promise<void>;
}

function realFlushes(ctx: Context, top: string): Flushes {
  return { fileSystem: () => syncFilesystem(ctx, top), directory: flushDirectory };
}

const NO_FLUSHES: Flushes = { fileSystem: async () => {}, directory: async () => {} };

/** Settings of `core` that change nothing about a transaction, and those that do not with these values. */
const HARMLESS: Readonly<Record<string, readonly string[] | "any">> = {
  repo_version: "any",
  mode: "any",
  "min-free-space-percent": "any",
  "min-free-space-size": "any",
  "lock-timeout-secs": "any",
  "tmp-expiry-secs": "any",
  "collection-id": "any",
  "default-repo-finders": "any",
  "add-remotes-config-dir": "any",
  fsync: ["true", "1", "false", "0"],
  locking: ["true", "1"],
  "per-object-fsync": ["false", "0"],
  "tombstone-commits": ["false", "0"],
  "auto-update-summary": ["false", "0"],
  "commit-update-summary": ["false", "0"],
};

const LOCK_TIMEOUT_SECONDS = "30";

export interface TransactionSettings {
  /** How long to wait for ostree's lock. */
  readonly lockTimeoutMs: number;
  readonly isFlushed: boolean;
}

/**
 * What a repository's `config` says about transactions. Undefined when it has settings by which ostree's do
 * what ours do not.
 */
export function decideSettings(config: string): TransactionSettings | undefined {
  const keyfile = parseKeyfile(config);
  for (const line of keyfile.lines) {
    if (line.kind !== "entry" || line.group !== "core") continue;
    const values = Object.hasOwn(HARMLESS, line.key) ? HARMLESS[line.key] : undefined;
    if (values === undefined) return undefined;
    if (values !== "any" && !values.includes(line.rawValue)) return undefined;
  }
  const seconds = keyfileValue(keyfile, "core", "lock-timeout-secs") ?? LOCK_TIMEOUT_SECONDS;
  if (!/^(-1|\d+)$/.test(seconds)) return undefined;
  return {
    lockTimeoutMs: seconds === "-1" ? Number.POSITIVE_INFINITY : Number(seconds) * 1000,
    isFlushed: keyfileFlag(keyfile, "core", "fsync") ?? true,
  };
}

/** Names can be moved within a file system alone. */
async function isOneFileSystem(repo: string, top: string): Promise<boolean> {
  const others = ["objects", "refs/heads", "state"].map((it) => join(repo, it));
  const found = await Promise.all(
    [top, ...others].map((it) => stat(it).catch(ifMissing(undefined))),
  );
  return found.every((it) => it !== undefined && it.dev === found[0]?.dev);
}

interface NewRef {
  readonly ref: string;
  readonly commit: string;
}

async function move(
  ctx: Context,
  { repo, scratch, unproven, known = [] }: Transaction,
  flushes: Flushes,
): Promise<void> {
  const { top } = scratch;
  const refs = await readRefs(top);
  const places = { repo, scratch, scratched: new Set(readdirSync(scratch.listing)) };
  const commits = findCommits(places, refs);
  try {
    for (const { mark } of commits) writeFileSync(mark, "");
    const [wanted] = await Promise.all([
      findWanted(places, { commits, unproven, known }),
      flushes.fileSystem(),
    ]);
    await moveObjects(repo, { scratch, wanted, signal: ctx.signal });
    await flushes.fileSystem();
    for (const { mark } of commits) removeFileSync(mark);
  } catch (error) {
    try {
      removeNeedlessMarks(repo, commits);
    } catch {
      // The next pull removes them. The first error says more about what is wrong.
    }
    throw error;
  }
  for (const folder of moveRefs(repo, top, refs)) await flushes.directory(folder);
  // Programs that watch a repository look at this time.
  const now = new Date();
  utimesSync(repo, now, now);
}

/** Removes our marks at commits that never came. A commit that the repository has in part needs its mark. */
function removeNeedlessMarks(repo: string, commits: readonly NewCommit[]): void {
  for (const { commit, mark, wasMarked } of commits) {
    if (!wasMarked && !existsSync(join(repo, objectPath(commit, "commit")))) removeFileSync(mark);
  }
}

async function readRefs(top: string): Promise<readonly NewRef[]> {
  const refs: NewRef[] = [];
  for (const ref of await listRefs(top, "")) {
    const commit = await readRef(top, ref);
    if (commit !== undefined) refs.push({ ref, commit });
  }
  return refs;
}

/** A commit that the repository lacks, or has in part. */
interface NewCommit {
  readonly commit: string;
  /** The file that says so. */
  readonly mark: string;
  readonly isMoved: boolean;
  /** It had its mark before: another program may be writing this commit as well. */
  readonly wasMarked: boolean;
}

function findCommits(places: ObjectPlaces, refs: readonly NewRef[]): readonly NewCommit[] {
  const { repo, scratched } = places;
  const commits = new Set(refs.map((it) => it.commit));
  return [...commits].flatMap((commit) => {
    requireCommitObject(places, commit);
    const mark = partialMark(repo, commit);
    const isMoved = scratched.has(`${commit}.commit`);
    const wasMarked = existsSync(mark);
    return isMoved || wasMarked ? [{ commit, mark, isMoved, wasMarked }] : [];
  });
}

interface Wanted {
  readonly commits: readonly NewCommit[];
  readonly unproven: readonly string[];
  readonly known: readonly string[];
}

/** The objects to move. Where all commits are looked through, what belongs to none of them stays behind. */
async function findWanted(
  places: ObjectPlaces,
  { commits, unproven, known }: Wanted,
): Promise<Iterable<string>> {
  const isProven = ({ commit, isMoved }: NewCommit) => isMoved && !unproven.includes(commit);
  const reached = new Set<string>();
  const checked = commits.filter((it) => !isProven(it)).map((it) => it.commit);
  for (const commit of new Set([...unproven, ...checked])) {
    requireWhole(places, commit, { known, reached });
  }
  if (commits.some(isProven)) return places.scratched;
  return [...reached].filter((it) => places.scratched.has(it));
}

/** How long others wait for their turn. */
const TURN_MS = 10;

interface MovedObjects {
  readonly scratch: Scratch;
  readonly wanted: Iterable<string>;
  readonly signal: AbortSignal;
}

/** An object that has come there meanwhile is the same; ostree replaces it, too. */
async function moveObjects(repo: string, { scratch, wanted, signal }: MovedObjects): Promise<void> {
  const folders = new Set<string>();
  let turnAt = performance.now() + TURN_MS;
  for (const name of wanted) {
    const folder = name.slice(0, 2);
    if (!folders.has(folder)) makeDirectoriesSync(`${repo}/objects/${folder}`);
    folders.add(folder);
    renameSync(`${scratch.listing}/${name}`, `${repo}/${objectPathOf(name)}`);
    if (performance.now() < turnAt) continue;
    await setImmediate();
    signal.throwIfAborted();
    turnAt = performance.now() + TURN_MS;
  }
}

/**
 * Refs of images come last, in the order of the names: `blob` before `image`. Gives the directories of the
 * refs, and those above them.
 */
function moveRefs(repo: string, top: string, refs: readonly NewRef[]): Iterable<string> {
  const heads = join(repo, "refs/heads");
  const touched = new Set<string>();
  for (const { ref } of refs) {
    const path = join(heads, ref);
    makeDirectoriesSync(dirname(path));
    renameRef(join(top, "refs/heads", ref), path);
    for (let at = dirname(path); at.length >= heads.length; at = dirname(at)) touched.add(at);
  }
  return touched;
}

/** Where refs were deleted, an empty directory may have been left. */
function renameRef(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw error;
    rmdirSync(to);
    renameSync(from, to);
  }
}
