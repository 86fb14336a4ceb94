// Leftovers of a pull that was killed, or failed, after its image was committed.
import { kindOf } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { closeCache, hasUnfinished, noteDocuments, openCache } from "../cache.ts";
import type { PlannedLayer, StoredImage } from "../images.ts";
import { withRepositoryLock } from "../lock.ts";
import { listWorkDirectories, removeWorkDirectories } from "../scratch.ts";
import { deletePrivateRefs, listPrivateRefs } from "./cleanup.ts";
import { listRuns, readProtected } from "./protection.ts";
import { listUnnamedImageRefs } from "./unnamed-files.ts";

/** An image that the repository has whole. */
export interface WholeImage {
  readonly stored: StoredImage;
  readonly layers: readonly PlannedLayer[];
}

/** Whether such a run left anything of its work on this image, or of any other. */
export async function hasLeftovers(repo: string, layers: WholeImage["layers"]): Promise<boolean> {
  if (await hasUnfinished(repo)) return true;
  const lists = [
    listRuns(repo),
    listPrivateRefs(repo, layers),
    listUnnamedImageRefs(repo),
    listWorkDirectories(repo),
  ];
  return (await Promise.all(lists)).some((it) => it.length > 0);
}

/** Removes what such a run left, unless another process is at work. */
export async function removeLeftovers(
  ctx: Context,
  repo: string,
  { stored, layers }: WholeImage,
): Promise<void> {
  await unlessBusy(ctx, repo, async () => {
    await removeWorkDirectories(repo);
    await readProtected(ctx, repo);
    const cache = await openCache(ctx, repo, []);
    noteDocuments(cache, stored);
    await deletePrivateRefs(repo, layers);
    await closeCache(cache);
  });
}

/** Removes what killed runs protected, for verbs that find their image staged and pull nothing. */
export async function removeKilledRuns(ctx: Context, repo: string): Promise<void> {
  if ((await listRuns(repo)).length === 0) return;
  await unlessBusy(ctx, repo, async () => void (await readProtected(ctx, repo)));
}

async function unlessBusy(ctx: Context, repo: string, work: () => Promise<void>): Promise<void> {
  const options = { purpose: "removing leftovers", timeoutMs: 0, onWait: () => undefined };
  try {
    await withRepositoryLock(ctx, repo, { options, work });
  } catch (error) {
    // Another process is pulling, so what we saw is in use.
    if (kindOf(error) !== "busy") throw error;
  }
}
