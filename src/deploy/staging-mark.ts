// Marks the time from just before an image is staged until all that follows is done. The next run does what
// a killed one has left undone; without the mark it would find the image staged, and stop there.
import { rm } from "node:fs/promises";
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

export async function markStaging(ctx: Context, mark: StagingMark): Promise<void> {
  const text = `${mark.digest}\n${mark.abandonedRefspec ?? ""}\n`;
  await replaceFile(join(ctx.root, MARK), text, { mode: 0o644 });
}

/** Undefined when nothing was left undone. */
export async function readStagingMark(ctx: Context): Promise<StagingMark | undefined> {
  const text = await readFileIfAny(join(ctx.root, MARK));
  if (text === undefined) return undefined;
  const [digest = "", refspec = ""] = text.split("\n");
  return { digest, abandonedRefspec: refspec || undefined };
}

export async function unmarkStaging(ctx: Context): Promise<void> {
  await rm(join(ctx.root, MARK), { force: true });
}
