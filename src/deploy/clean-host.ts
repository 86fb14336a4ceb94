// Removes what no deployment of the host needs from the repository and the container storage.
import { explainError } from "../errors.ts";
import {
  type CleanSysrootRequest,
  cleanSysroot,
  describeCleanup,
} from "../repository/clean/clean-sysroot.ts";
import type { Context } from "../system/context.ts";
import { removeUnboundImages } from "./bound-images/find.ts";

/** For a clean-up that fails or is interrupted: the change before it stays, and the next one goes on. */
export function noteUncleaned(ctx: Context, error: unknown): undefined {
  ctx.note(`note: not everything could be cleaned up: ${explainError(error)}`);
}

/** What a person reads about it; empty when there was nothing to remove. */
export async function cleanHost(
  ctx: Context,
  request: CleanSysrootRequest,
): Promise<string | undefined> {
  const summary = describeCleanup(await cleanSysroot(ctx, request));
  const unbound = await removeUnboundImages(ctx, request);
  const lines = [
    ...(summary === undefined ? [] : [summary]),
    ...(unbound === 0 ? [] : [`Removed bound images: ${unbound}`]),
  ];
  return lines.length === 0 ? undefined : lines.join("\n");
}
