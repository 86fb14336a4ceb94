// The end of an installation: everything is on the disk, and the file systems are clean.
import type { Context } from "../system/context.ts";

/**
 * Trims, makes read-only and flushes the journals of the file systems mounted at `paths`, so that a
 * boot loader, which replays no journal, sees what was written.
 */
export async function finalizeFilesystems(
  ctx: Context,
  mounts: readonly { readonly path: string; readonly type: string }[],
): Promise<void> {
  for (const { path, type } of mounts) {
    await ctx.run("fstrim", ["--quiet-unsupported", "-v", path]);
    await ctx.run("mount", ["-o", "remount,ro", path]);
    if (type === "vfat") continue;
    await ctx.run("fsfreeze", ["-f", path]);
    await ctx.run("fsfreeze", ["-u", path]);
  }
}
