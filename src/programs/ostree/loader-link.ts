// Keeps the boot loader's way to its entries whole while ostree replaces it.
import { link, lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../../errors.ts";
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
  try {
    const [now, before] = await Promise.all([readInode(loader), readInode(kept)]);
    // On FAT, ostree has a directory instead of the link.
    if (now?.isLink !== true || now.inode === before?.inode) return;
    await rm(kept, { force: true });
    await link(loader, kept);
  } catch (error) {
    // A rollback must not fail for it: what follows goes on as it would without us.
    ctx.note(`note: \`/boot/loader\` cannot get a second name: ${describeError(error).message}`);
  }
}

async function readInode(path: string) {
  const stats = await lstat(path).catch(ifMissing(undefined));
  return stats && { isLink: stats.isSymbolicLink(), inode: stats.ino };
}
