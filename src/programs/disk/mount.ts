// mount(8) and umount(8). What is mounted for a while is unmounted even after Ctrl-C.
import type { Context, RunOptions } from "../../system/context.ts";
import { readMount } from "../../system/mounts.ts";
import { cleanupContext } from "../../system/run.ts";

export interface MountOptions {
  /** The kind of file system; found out by mount(8) when not given. */
  readonly type?: string;
  /** As in fstab: `subvolid=5`. */
  readonly options?: string;
}

/**
 * Mounts a device (a name where the file system has none) at `path`. Leaves nothing mounted when it is
 * interrupted, although mount(8) may have done its work by then.
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

/** Shows the directory `source` at `path` as well, without what is mounted below it. */
export async function bindMount(ctx: Context, source: string, path: string): Promise<void> {
  await ctx.run("mount", ["--bind", source, path]);
}

/** The same with all that is mounted below it, now and later. Mounts at `path` do not reach `source`. */
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

/** Changes whether what is mounted at `path` can be written to. */
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

/** Unmounts `path` and all below it; lazily, it goes out of sight and ends when nothing uses it any more. */
export async function unmountTree(
  ctx: Context,
  path: string,
  { isLazy }: { readonly isLazy: boolean },
): Promise<void> {
  const how = isLazy ? ["--recursive", "--lazy"] : ["--recursive"];
  await cleanupContext(ctx).run("umount", [...how, path]);
}
