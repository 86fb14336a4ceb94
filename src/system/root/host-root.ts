// The root of process 1: the host's when we run in a container, the installer's when we run in its chroot.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../context.ts";
import { isForbidden, isMissing } from "../files.ts";

/** The path to that root. Undefined when even root may not look, for example because of a security module. */
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
