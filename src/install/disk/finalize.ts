// Ends an installation: everything is on the disk, and the file systems are clean.
import { flushJournal, syncFilesystem, trimFilesystem } from "../../programs/disk/fs.ts";
import { makeReadOnly } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";

/**
 * Trims the file systems, remounts them read-only and flushes their journals. Boot loaders do not replay a
 * journal, and could otherwise miss what was written.
 */
export async function finalizeFilesystems(
  ctx: Context,
  mounts: readonly { readonly path: string; readonly type: string }[],
): Promise<void> {
  for (const { path, type } of mounts) {
    await trimFilesystem(ctx, path);
    await makeReadOnly(ctx, path);
    if (type !== "vfat") await flushJournal(ctx, path);
  }
}

/**
 * Writes the file systems of these directories to their disks. Those of a running system stay mounted, and
 * its power may go before it restarts.
 */
export async function flushFilesystems(ctx: Context, paths: readonly string[]): Promise<void> {
  for (const it of paths) if (await exists(it)) await syncFilesystem(ctx, it);
}
