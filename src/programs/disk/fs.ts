// Programs that tend to file systems and devices as a whole: sync, fstrim, fsfreeze, chattr, wipefs.
import type { Context } from "../../system/context.ts";

/** Writes everything on the file system of `path` to its disk. */
export async function syncFilesystem(ctx: Context, path: string): Promise<void> {
  await ctx.run("sync", ["--file-system", path]);
}

/** Tells the disk which blocks are free, where it wants to know. */
export async function trimFilesystem(ctx: Context, path: string): Promise<void> {
  await ctx.run("fstrim", ["--quiet-unsupported", "-v", path]);
}

/** Writes the journal of a file system to its place: frozen, it is complete. */
export async function flushJournal(ctx: Context, path: string): Promise<void> {
  await ctx.run("fsfreeze", ["-f", path]);
  await ctx.run("fsfreeze", ["-u", path]);
}

/** Lets a file or directory be changed that may not be, even by root. */
export async function clearImmutable(ctx: Context, path: string): Promise<void> {
  await ctx.run("chattr", ["-i", path]);
}

/** Removes what says that a device holds a file system, a table of partitions or the like. */
export async function eraseSignatures(ctx: Context, device: string): Promise<void> {
  await ctx.run("wipefs", ["--all", "--quiet", device]);
}
