// Ends an installation: everything is on the disk, and the file systems are clean.
import { explainError } from "../../errors.ts";
import {
  flushJournal,
  freeze,
  syncFilesystem,
  thaw,
  trimFilesystem,
} from "../../programs/disk/fs.ts";
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
 * its power may go before it restarts. What is written last may be in a journal alone.
 */
export async function flushFilesystems(ctx: Context, paths: readonly string[]): Promise<void> {
  for (const it of paths) if (await exists(it)) await syncFilesystem(ctx, it);
}

/** Those with a journal that `sync` writes to, and that `fsfreeze` empties. */
const JOURNALED = ["ext3", "ext4", "xfs"];

/**
 * Flushes the journal of a running system's `/boot`, if that is a file system of its own. A root is not
 * frozen: the program that thaws it is read from there.
 */
export async function flushBoot(
  ctx: Context,
  { path, type }: { readonly path: string; readonly type: string },
): Promise<void> {
  if (!JOURNALED.includes(type)) return;
  try {
    await freeze(ctx, path);
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    const what = `GRUB may not find what was written to \`${path}\``;
    ctx.note(`warning: if the power fails before the restart, ${what}: ${explainError(error)}`);
    return;
  }
  await thaw(ctx, path);
}
