// Leftovers of a pull that was killed, or failed, after its image was committed.
import { kindOf } from "../errors.ts";
import { closeCache, hasUnfinished, noteDocuments, openCache } from "../repository/cache.ts";
import { deletePrivateRefs, listPrivateRefs } from "../repository/clean/cleanup.ts";
import { listRuns, readProtected } from "../repository/clean/protection.ts";
import { listUnnamedImageRefs } from "../repository/clean/unnamed-files.ts";
import { withRepositoryLock } from "../repository/lock.ts";
import { listWorkDirectories, removeWorkDirectories } from "../repository/scratch.ts";
import type { Context } from "../system/context.ts";
import type { JudgeAgainPlan, UnchangedPlan } from "./plan/plan.ts";

/** Removes what such a run left of its work on this image, which is whole by now. */
export async function removeLeftovers(
  ctx: Context,
  { request: { repo }, stored, layers }: UnchangedPlan | JudgeAgainPlan,
): Promise<void> {
  if (!(await hasLeftovers(repo, layers))) return;
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

async function hasLeftovers(repo: string, layers: UnchangedPlan["layers"]): Promise<boolean> {
  if (await hasUnfinished(repo)) return true;
  const lists = [
    listRuns(repo),
    listPrivateRefs(repo, layers),
    listUnnamedImageRefs(repo),
    listWorkDirectories(repo),
  ];
  return (await Promise.all(lists)).some((it) => it.length > 0);
}
