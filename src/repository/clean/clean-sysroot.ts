// The clean-up of a whole sysroot: what no deployment follows or consists of goes, in upstream's order.
import { type Pruned, pruneObjects } from "../../programs/ostree/repo.ts";
import type { Context } from "../../system/context.ts";
import { withRepositoryLock } from "../lock.ts";
import { pruneImages, pruneLayers, removeAbandoned } from "./cleanup.ts";
import { removeUnnamedOfDeployments, removeUnnamedRefs } from "./unnamed-files.ts";

export interface SysrootCleanup {
  readonly images: number;
  readonly layers: number;
  readonly pruned: Pruned;
}

export interface CleanSysrootRequest {
  /** The physical root: `/sysroot` on a booted host. */
  readonly sysroot: string;
  readonly repo: string;
  readonly lockTimeoutMs?: number | undefined;
}

/** Deployed images, rollback and pinned ones included, stay whole. Waits for a pull under way. */
export async function cleanSysroot(
  ctx: Context,
  request: CleanSysrootRequest,
): Promise<SysrootCleanup> {
  const { repo } = request;
  return await withRepositoryLock(ctx, repo, {
    options: { purpose: "cleaning up", timeoutMs: request.lockTimeoutMs },
    work: async () => {
      await removeUnnamedOfDeployments(request);
      await removeUnnamedRefs(repo);
      const images = await pruneImages(ctx, request);
      const layers = await pruneLayers(ctx, repo);
      await removeAbandoned(repo);
      return { images: images.length, layers, pruned: await pruneObjects(ctx, repo) };
    },
  });
}

/** What a person reads about a clean-up; nothing when there was nothing to remove. */
export function describeCleanup({ images, layers, pruned }: SysrootCleanup): string | undefined {
  if (images === 0 && layers === 0 && pruned.objects === 0) return undefined;
  return `Pruned images: ${images} (layers: ${layers}, objsize: ${pruned.size})`;
}
