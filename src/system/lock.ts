// A file lock that the kernel releases when the process that holds it ends, whatever the cause.
import { type FileHandle, open } from "node:fs/promises";
import { BootcError } from "../errors.ts";
import type { Context } from "./context.ts";
import { ifMissing } from "./files.ts";
import { failureOf } from "./run.ts";

export interface FileLock {
  release(): Promise<void>;
}

export interface LockOptions {
  /** What the holder is doing, for the messages of those who wait. */
  readonly purpose: string;
  readonly timeoutMs: number;
  /** Called once, with a description of the holder, when another process holds the lock. */
  readonly onWait: (holder: string) => void;
}

/** The status that we ask flock(1) to end with when another process holds the lock. */
const CONFLICT = 75;

/**
 * Takes the lock on the file at `path`, creating the file if needed and never removing it: removing a lock
 * file is a race. A flock(2) lock belongs to the open file and not to the process that takes it, so the
 * short-lived flock(1) takes the lock on our descriptor, and we hold it until we close that or end.
 */
export async function lockFile(
  ctx: Context,
  path: string,
  options: LockOptions,
): Promise<FileLock> {
  const file = await open(path, "a+", 0o600);
  try {
    if (!(await tryLock(ctx, file))) {
      const holder = await describeHolder(path);
      options.onWait(holder);
      await waitForLock(ctx, file, { holder, timeoutMs: options.timeoutMs });
    }
    await file.truncate(0);
    await file.write(JSON.stringify({ pid: process.pid, purpose: options.purpose }));
  } catch (error) {
    await file.close();
    throw error;
  }
  return { release: () => file.close() };
}

/** Whether any process, including ours, holds the lock on the file at `path`. A missing file is free. */
export async function isLocked(ctx: Context, path: string): Promise<boolean> {
  const file = await open(path, "r").catch(ifMissing(undefined));
  if (file === undefined) return false;
  try {
    return !(await tryLock(ctx, file));
  } finally {
    await file.close();
  }
}

/** Locks an open file or directory until it is closed; false when another process holds the lock. */
export async function tryLock(ctx: Context, file: FileHandle): Promise<boolean> {
  return await flock(ctx, file, ["--nonblock"]);
}

async function waitForLock(
  ctx: Context,
  file: FileHandle,
  { holder, timeoutMs }: { readonly holder: string; readonly timeoutMs: number },
): Promise<void> {
  const seconds = timeoutMs / 1000;
  if (timeoutMs > 0 && (await flock(ctx, file, ["--timeout", String(seconds)]))) return;
  throw new BootcError(`${holder} is still at work after ${seconds} s`, {
    kind: "busy",
    hint: "try again later, or wait longer with --lock-timeout",
  });
}

async function flock(ctx: Context, file: FileHandle, how: readonly string[]): Promise<boolean> {
  const args = ["--exclusive", ...how, "--conflict-exit-code", String(CONFLICT), "3"];
  try {
    await ctx.run("flock", args, { descriptors: [file.fd], isQuiet: true, endsWithUs: true });
    return true;
  } catch (error) {
    if (failureOf(error)?.exitCode === CONFLICT) return false;
    throw error;
  }
}

/** The holder as described in the lock file, which it may not have written yet. */
async function describeHolder(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { pid, purpose } = parseHolder(await file.readFile("utf8"));
    return `another program (${purpose}, process ${pid})`;
  } finally {
    await file.close();
  }
}

function parseHolder(text: string): { readonly pid: string; readonly purpose: string } {
  const [, pid = "unknown", purpose = "unknown"] =
    /^\{"pid":(\d+),"purpose":"([^"\\]*)"\}$/.exec(text) ?? [];
  return { pid, purpose };
}
