// The clean-up of a whole sysroot: what no deployment follows or consists of goes, in upstream's order.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { objectPath, parseCommit, textMetadata } from "../../ostree/objects.ts";
import { BASE_IMAGE_PREFIX } from "../../ostree/ref-names.ts";
import { createRef, deleteRefs, type Pruned, pruneObjects } from "../../programs/ostree/repo.ts";
import type { Context } from "../../system/context.ts";
import { listDeploymentRefs, listRefs, readRef } from "../files.ts";
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
      await protectBases(ctx, repo);
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

const BOOTC_BASES = `${BASE_IMAGE_PREFIX}/bootc`;

/** Commits made locally on top of an image name it in `bootc.derived`; a ref keeps that image's layers. */
async function protectBases(ctx: Context, repo: string): Promise<void> {
  const present = await listRefs(repo, BOOTC_BASES);
  const bases = await readDerivedBases(repo);
  const commits = await Promise.all(present.map((it) => readRef(repo, it)));
  if (commits.join() === bases.join()) return;
  await deleteRefs(ctx, repo, present);
  for (const [i, commit] of bases.entries()) {
    await createRef(ctx, repo, { ref: `${BOOTC_BASES}/${i}`, commit });
  }
}

async function readDerivedBases(repo: string): Promise<readonly string[]> {
  const bases: string[] = [];
  for (const ref of await listDeploymentRefs(repo)) {
    const commit = await readRef(repo, ref);
    if (commit === undefined) continue; // gone since it was listed
    const { metadata } = parseCommit(await readFile(join(repo, objectPath(commit, "commit"))));
    const base = textMetadata(metadata, "bootc.derived");
    if (base !== undefined) bases.push(base);
  }
  return [...new Set(bases)];
}
