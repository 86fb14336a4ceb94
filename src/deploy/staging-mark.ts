// Marks the time from just before an image is staged until all that follows is done. The next run does what
// a killed one has left undone; without the mark it would find the image staged, and stop there.
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../system/context.ts";
import { readFileIfAny, replaceFile } from "../system/files.ts";

/** A reboot removes it, and the need for it: nothing is left to announce by then. */
const MARK = "run/bootc/staging";

export interface StagingMark {
  /** Of the image that is staged: anything else that is staged later is not what was left undone. */
  readonly digest: string;
  /** The branch of a plain ostree installation that nobody follows any more. */
  readonly abandonedRefspec: string | undefined;
}

/** A mark that a run has left. */
export interface LeftMark extends StagingMark {
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
}

export async function markStaging(ctx: Context, mark: StagingMark): Promise<void> {
  const text = `${mark.digest}\n${mark.abandonedRefspec ?? ""}\n`;
  await replaceFile(join(ctx.root, MARK), text, { mode: 0o644 });
}

/** Undefined when nothing was left undone. */
export async function readStagingMark(ctx: Context): Promise<LeftMark | undefined> {
  const path = join(ctx.root, MARK);
  const text = await readFileIfAny(path);
  if (text === undefined) return undefined;
  const { mtimeMs: writtenMs } = await stat(path);
  const [digest = "", refspec = ""] = text.split("\n");
  return { digest, abandonedRefspec: refspec || undefined, writtenMs };
}

export async function unmarkStaging(ctx: Context): Promise<void> {
  await rm(join(ctx.root, MARK), { force: true });
}

/**
 * Runs `work`, which resolves to whether everybody was told of it; until they are, the mark has the next run
 * tell them. A mark that a killed run has left for the same image stays in any case.
 */
export async function whileMarked(
  ctx: Context,
  digest: string | undefined,
  work: () => Promise<boolean>,
): Promise<void> {
  const isLeft = (await readStagingMark(ctx))?.digest === digest;
  if (digest !== undefined && !isLeft) {
    await markStaging(ctx, { digest, abandonedRefspec: undefined });
  }
  if ((await work()) && !isLeft) await unmarkStaging(ctx);
}
