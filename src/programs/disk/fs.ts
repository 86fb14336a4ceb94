// Programs for whole file systems and devices: sync, fstrim, fsfreeze, chattr, wipefs.
import type { Context, RunOptions } from "../../system/context.ts";
import { cleanupContext } from "../../system/run.ts";

/** Writes everything on the file system of `path` to its disk. */
export async function syncFilesystem(
  ctx: Context,
  path: string,
  options: Pick<RunOptions, "timeoutMs"> = {},
): Promise<void> {
  await ctx.run("sync", ["--file-system", path], options);
}

/** Tells the disk which blocks are free, if the disk supports that. */
export async function trimFilesystem(ctx: Context, path: string): Promise<void> {
  await ctx.run("fstrim", ["--quiet-unsupported", "-v", path]);
}

/** Flushes the journal of a file system by freezing it. Leaves nothing frozen when interrupted. */
export async function flushJournal(ctx: Context, path: string): Promise<void> {
  const thaw = () => cleanupContext(ctx).run("fsfreeze", ["-u", path]);
  try {
    await ctx.run("fsfreeze", ["-f", path]);
  } catch (error) {
    // fsfreeze may have done its work before the signal came; if not, there is nothing to thaw.
    if (ctx.signal.aborted) await thaw().catch(() => undefined);
    throw error;
  }
  await thaw();
}

/** Removes the immutable flag, which even root cannot override. */
export async function clearImmutable(ctx: Context, path: string): Promise<void> {
  await ctx.run("chattr", ["-i", path]);
}

/** Removes the signatures of file systems, partition tables and the like from a device. */
export async function eraseSignatures(ctx: Context, device: string): Promise<void> {
  await ctx.run("wipefs", ["--all", "--quiet", device]);
}
