// The root of the first process: that of the host in a container, that of the installer in what it made.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "./context.ts";
import { isForbidden, isMissing } from "./files.ts";

/** Where it can be looked at. Undefined where even root is kept from that, as by a security module. */
export async function findHostRoot(ctx: Context): Promise<string | undefined> {
  const path = join(ctx.root, "proc/1/root");
  try {
    await lstat(`${path}/.`);
    return path;
  } catch (error) {
    if (isForbidden(error) || isMissing(error)) return undefined;
    throw error;
  }
}
