// Programs for whole file systems and devices: sync, fstrim, fsfreeze, chattr, wipefs.
import { BootcError } from "../../errors.ts";
import type { Context, RunOptions } from "../../system/context.ts";
import { formatCommand } from "../../system/quote.ts";
import { cleanupContext, failureOf } from "../../system/run.ts";

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
  await freeze(ctx, path);
  await thaw(ctx, path);
}

/** To be followed by `thaw`. Leaves nothing frozen when it fails. */
export async function freeze(ctx: Context, path: string): Promise<void> {
  try {
    await ctx.run("fsfreeze", ["-f", path]);
  } catch (error) {
    // fsfreeze may have done its work before the signal came.
    if (ctx.signal.aborted) await thaw(ctx, path);
    throw error;
  }
}

/** Thaws a file system even when interrupted, which kills fsfreeze if it is under way. */
export async function thaw(ctx: Context, path: string): Promise<void> {
  const args = ["-u", path];
  const run = () => cleanupContext(ctx).run("fsfreeze", args);
  try {
    await run().catch((error) => {
      if (!ctx.signal.aborted) throw error;
      return run();
    });
  } catch (cause) {
    if (isThawed(cause)) return;
    const command = formatCommand("fsfreeze", args);
    throw new BootcError(`\`${path}\` is still frozen, and \`${command}\` thaws it`, { cause });
  }
}

/** The kernel refuses to thaw what is not frozen. */
function isThawed(error: unknown): boolean {
  return /: unfreeze failed: Invalid argument$/m.test(failureOf(error)?.stderr ?? "");
}

/** Removes the immutable flag, which even root cannot override. */
export async function clearImmutable(ctx: Context, path: string): Promise<void> {
  await ctx.run("chattr", ["-i", path]);
}

/** Removes the signatures of file systems, partition tables and the like from a device. */
export async function eraseSignatures(ctx: Context, device: string): Promise<void> {
  await ctx.run("wipefs", ["--all", "--quiet", device]);
}
