// Directories for what is too large for /tmp and is needed only while we run. What a killed run left in
// one goes when the next one is made.
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeError, errnoOf } from "../errors.ts";
import type { Context } from "./context.ts";
import { exists, ifMissing, isForbidden, isMissing } from "./files.ts";
import { tryLock } from "./lock.ts";

export type WorkPurpose = "export" | "import" | "image" | "rpmdb";

/** Images may lack it while they are built. */
const ON_DISK = "/var/tmp";

const NAME = /^bootc-(export|import|image|rpmdb)-\w{6}$/;

/** Runs `work` with a directory of its own, on a disk, and removes the directory. */
export async function withWorkDirectory<T>(
  ctx: Context,
  purpose: WorkPurpose,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const parent = ctx.env.TMPDIR ?? ((await exists(ON_DISK)) ? ON_DISK : tmpdir());
  await removeLeftovers(ctx, parent);
  const { dir, lock } = await makeLocked(ctx, join(parent, `bootc-${purpose}-`));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
    await lock.close();
  }
}

interface LockedDirectory {
  readonly dir: string;
  /** As long as it is open, nobody else removes the directory. */
  readonly lock: FileHandle;
}

async function makeLocked(ctx: Context, prefix: string): Promise<LockedDirectory> {
  for (;;) {
    const dir = await mkdtemp(prefix);
    const lock = await openDirectoryItself(dir).catch(ifMissing(undefined));
    // Between the two, another run may have taken it for what a killed one left.
    if (lock !== undefined && (await isLockedAt(ctx, dir, lock))) return { dir, lock };
    await lock?.close();
  }
}

async function isLockedAt(ctx: Context, dir: string, lock: FileHandle): Promise<boolean> {
  if (!(await tryLock(ctx, lock))) return false;
  const [opened, named] = [await lock.stat(), await lstat(dir).catch(ifMissing(undefined))];
  return named?.ino === opened.ino && named.dev === opened.dev;
}

/** Removes the directories that no run holds. What cannot be removed is in nobody's way. */
async function removeLeftovers(ctx: Context, parent: string): Promise<void> {
  const names = await readdir(parent).catch(ifMissing([]));
  for (const dir of names.filter((it) => NAME.test(it)).map((it) => join(parent, it))) {
    try {
      await removeLeftover(ctx, dir);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      ctx.note(`note: \`${dir}\` of an earlier run stays: ${describeError(error).message}`);
    }
  }
}

/** Others can write into /var/tmp, and could lead us elsewhere while we remove what is theirs. */
async function removeLeftover(ctx: Context, dir: string): Promise<void> {
  const file = await openDirectoryItself(dir).catch(ifNotOurs);
  if (file === undefined) return;
  try {
    const isOurs = (await file.stat()).uid === process.geteuid?.();
    if (isOurs && (await tryLock(ctx, file))) await rm(dir, { recursive: true, force: true });
  } finally {
    await file.close();
  }
}

/** Gone meanwhile, a directory of somebody else, or not a directory. */
function ifNotOurs(error: unknown): undefined {
  if (isMissing(error) || isForbidden(error) || errnoOf(error) === "ELOOP") return undefined;
  throw error;
}

async function openDirectoryItself(dir: string): Promise<FileHandle> {
  return await open(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}
