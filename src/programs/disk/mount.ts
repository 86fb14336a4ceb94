// mount(8) and umount(8). Temporary mounts are unmounted even after Ctrl-C.
import type { Context } from "../../system/context.ts";
import { pause } from "../../system/pause.ts";
import { readMount } from "../../system/root/mounts.ts";
import { cleanupContext, failureOf } from "../../system/run.ts";

export interface MountOptions {
  /** The type of the file system; mount(8) detects it by default. */
  readonly type?: string;
  /** In fstab's form: `subvolid=5`. */
  readonly options?: string;
}

/**
 * Mounts a device (or any name, for a file system without a device) at `path`. Leaves nothing mounted when
 * interrupted, even if mount(8) has already done its work.
 */
export async function mount(
  ctx: Context,
  { source, path }: { readonly source: string; readonly path: string },
  { type, options }: MountOptions = {},
): Promise<void> {
  const how = [
    ...(type === undefined ? [] : ["-t", type]),
    ...(options === undefined ? [] : ["-o", options]),
  ];
  try {
    await ctx.run("mount", [...how, source, path]);
  } catch (error) {
    const isLeft = ctx.signal.aborted && (await readMount(ctx, path)) !== undefined;
    if (isLeft) await unmountTree(ctx, path, { isLazy: true });
    throw error;
  }
}

/** Shows the directory `source` also at `path`, without the mounts below it. */
export async function bindMount(ctx: Context, source: string, path: string): Promise<void> {
  await ctx.run("mount", ["--bind", source, path]);
}

/** The same with all current and later mounts below it. Mounts at `path` do not appear at `source`. */
export async function bindTree(ctx: Context, source: string, path: string): Promise<void> {
  await ctx.run("mount", ["--rbind", "--make-rslave", source, path]);
}

/** Runs `work` while the tree at `source` is shown at `path`. */
export async function withTreeBound<T>(
  ctx: Context,
  { source, path }: { readonly source: string; readonly path: string },
  work: () => Promise<T>,
): Promise<T> {
  await bindTree(ctx, source, path);
  try {
    return await work();
  } finally {
    await unmountTree(ctx, path, { isLazy: true });
  }
}

export async function makeReadOnly(ctx: Context, path: string): Promise<void> {
  await ctx.run("mount", ["-o", "remount,ro", path]);
}

/** ostree freezes the file system of /boot for milliseconds; a slow disk may take longer to flush it. */
const FROZEN_LIMIT_MS = 20_000;
const ASK_MS = 50;

/**
 * Makes the mount at `path` writable. The kernel refuses that while the file system is frozen, and does not
 * say when that ends, so we ask again and again.
 */
export async function makeWritable(ctx: Context, path: string): Promise<void> {
  const end = performance.now() + FROZEN_LIMIT_MS;
  for (;;) {
    try {
      await ctx.run("mount", ["-o", "remount,rw", path], { isQuiet: true });
      return;
    } catch (error) {
      if (performance.now() >= end || !isBusy(error)) throw error;
    }
    await pause(ctx, ASK_MS);
  }
}

/** mount(8) does not give the kernel's error, only words for it. */
function isBusy(error: unknown): boolean {
  return /\bbusy\b/.test(failureOf(error)?.stderr ?? "");
}

export async function unmount(ctx: Context, path: string): Promise<void> {
  await cleanupContext(ctx).run("umount", [path]);
}

/** Unmounts `path` and everything below it. A lazy unmount hides it and completes when it is unused. */
export async function unmountTree(
  ctx: Context,
  path: string,
  { isLazy }: { readonly isLazy: boolean },
): Promise<void> {
  const how = isLazy ? ["--recursive", "--lazy"] : ["--recursive"];
  await cleanupContext(ctx).run("umount", [...how, path]);
}
