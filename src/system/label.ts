// SELinux labels of files we replace.
import { join } from "node:path";
import type { Context } from "./context.ts";
import { exists } from "./files.ts";

/** The running kernel has SELinux switched on. */
export async function isSelinuxOn(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, "sys/fs/selinux/enforce"));
}

/** Runs `replace`, after which the file at `path` has the label it had before. */
export async function keepLabel(
  ctx: Context,
  path: string,
  replace: () => Promise<void>,
): Promise<void> {
  if (!(await isSelinuxOn(ctx)) || !(await exists(path))) return await replace();
  const label = (await ctx.read("stat", ["--format=%C", path])).trim();
  await replace();
  await ctx.run("chcon", [label, path]);
}
