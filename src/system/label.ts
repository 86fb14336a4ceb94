// Whether the running system uses SELinux.
import { join } from "node:path";
import type { Context } from "./context.ts";
import { exists } from "./files.ts";

/** Whether SELinux is on in the running kernel. */
export async function isSelinuxOn(ctx: Context): Promise<boolean> {
  return await exists(join(ctx.root, "sys/fs/selinux/enforce"));
}
