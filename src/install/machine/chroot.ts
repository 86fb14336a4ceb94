// Makes a deployment usable as a root for the image's programs, while a boot loader is installed.
import { join } from "node:path";
import { bindTree, unmountTree } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";

export interface Chroot {
  readonly deployment: string;
  /** The physical root. Programs see it as /sysroot, and its /boot as /boot. */
  readonly root: string;
}

export async function withChroot<T>(
  ctx: Context,
  { deployment, root }: Chroot,
  work: () => Promise<T>,
): Promise<T> {
  const mounts: readonly (readonly [string, string])[] = [
    [root, "sysroot"],
    [join(root, "boot"), "boot"],
    ["/dev", "dev"],
    ["/proc", "proc"],
    ["/sys", "sys"],
    ["/run", "run"],
  ];
  const done: string[] = [];
  try {
    for (const [source, target] of mounts) {
      const path = join(deployment, target);
      await bindTree(ctx, source, path);
      done.push(path);
    }
    return await work();
  } finally {
    for (const path of done.reverse()) await unmountTree(ctx, path, { isLazy: true });
  }
}
