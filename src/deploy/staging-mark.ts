// A mark from before an image is staged until everything that follows is done. The next run does what a
// killed one has left undone; without the mark it would find the image staged, and stop there.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../system/context.ts";
import { readFileIfAny, replaceFile } from "../system/files.ts";

/** A reboot removes it, and with it the need: what is announced then is history. */
const MARK = "run/bootc/staging";

export interface StagingMark {
  /** The branch of a plain ostree installation that nobody follows any more. */
  readonly abandonedRefspec: string | undefined;
}

export async function markStaging(ctx: Context, { abandonedRefspec }: StagingMark): Promise<void> {
  await replaceFile(join(ctx.root, MARK), `${abandonedRefspec ?? ""}\n`, { mode: 0o644 });
}

/** Undefined when nothing was left undone. */
export async function readStagingMark(ctx: Context): Promise<StagingMark | undefined> {
  const text = await readFileIfAny(join(ctx.root, MARK));
  return text === undefined ? undefined : { abandonedRefspec: text.trim() || undefined };
}

export async function unmarkStaging(ctx: Context): Promise<void> {
  await rm(join(ctx.root, MARK), { force: true });
}
