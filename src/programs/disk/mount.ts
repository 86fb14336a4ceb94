// mount(8) and umount(8). Temporary mounts are unmounted even after Ctrl-C.
import type { Context, RunOptions } from "../../system/context.ts";
import { readMount } from "../../system/root/mounts.ts";
import { cleanupContext } from "../../system/run.ts";

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

/** Makes the mount at `path` read-only or writable. */
export async function remount(
  ctx: Context,
  path: string,
  access: "ro" | "rw",
  how: Pick<RunOptions, "isQuiet"> = {},
): Promise<void> {
  await ctx.run("mount", ["-o", `remount,${access}`, path], how);
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
