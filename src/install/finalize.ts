// The end of an installation: everything is on the disk, and the file systems are clean.
import { flushJournal, trimFilesystem } from "../programs/disk/fs.ts";
import { remount } from "../programs/disk/mount.ts";
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
    await trimFilesystem(ctx, path);
    await remount(ctx, path, "ro");
    if (type !== "vfat") await flushJournal(ctx, path);
  }
}
