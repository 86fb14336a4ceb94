// Keeps the boot loader's way to its entries whole while ostree replaces it.
import { link, lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing } from "../../system/files.ts";

/** In `/boot`, beside the link `loader`. */
const KEPT = "loader.bootc";

/**
 * Gives the link `/boot/loader` a second name. To be called before ostree renames a new link over it.
 *
 * GRUB reads a file system without replaying its journal. If the power goes while that rename is written
 * back, the directory on the disk may still name the old link, whose inode is free already, and GRUB finds
 * no entry. With a second name the inode stays, and the old entries are found.
 */
export async function keepLoaderLink(ctx: Context): Promise<void> {
  const loader = join(ctx.root, "boot/loader");
  const kept = join(ctx.root, "boot", KEPT);
  const [now, before] = await Promise.all([readInode(loader), readInode(kept)]);
  // On FAT, ostree has a directory instead of the link.
  if (now?.isLink !== true || now.inode === before?.inode) return;
  try {
    await rm(kept, { force: true });
    await link(loader, kept);
  } catch (error) {
    // Where we cannot write, the update goes on as it would without us.
    if (errnoOf(error) !== "EROFS") throw error;
  }
}

async function readInode(path: string) {
  const stats = await lstat(path).catch(ifMissing(undefined));
  return stats && { isLink: stats.isSymbolicLink(), inode: stats.ino };
}
