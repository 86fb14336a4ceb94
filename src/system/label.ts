// SELinux of the running system.
import { join } from "node:path";
import type { Context } from "./context.ts";
import { exists } from "./files.ts";

/** The running kernel has SELinux switched on. */
export async function isSelinuxOn(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, "sys/fs/selinux/enforce"));
}
