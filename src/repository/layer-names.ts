// Further names of layers: the digests that their blobs have in an exported image.
import { blobRef } from "../ostree/ref-names.ts";
import type { Context } from "../system/context.ts";
import { readRef } from "./files.ts";
import { findLayersOf, type StoredImage } from "./images.ts";
import { withRepositoryLock } from "./lock.ts";
import { createScratch } from "./scratch.ts";

export interface NamedLayer {
  /** The digest of a blob that has what the commit has. */
  readonly digest: string;
  readonly commit: string;
}

/**
 * A pull then finds the layers of `stored` by these digests, too. Unless an image with such layers is stored
 * by then, the next clean-up removes the names. The caller has made the repository writable.
 */
export async function nameLayers(
  ctx: Context,
  repo: string,
  { stored, layers }: { readonly stored: StoredImage; readonly layers: readonly NamedLayer[] },
): Promise<void> {
  const work = async () => {
    // A clean-up may have removed the image meanwhile.
    const present = new Set((await findLayersOf(repo, stored)).map((it) => it.commit));
    const wanted: NamedLayer[] = [];
    for (const it of layers) {
      if (!present.has(it.commit)) continue;
      if ((await readRef(repo, blobRef(it.digest))) !== it.commit) wanted.push(it);
    }
    if (wanted.length > 0) await addRefs(ctx, repo, wanted);
  };
  await withRepositoryLock(ctx, repo, { options: { purpose: "naming exported layers" }, work });
}

/** By one pull from a repository that has only the refs; `ostree refs` makes one at a time. */
async function addRefs(ctx: Context, repo: string, layers: readonly NamedLayer[]): Promise<void> {
  const scratch = await createScratch(repo);
  try {
    for (const { digest, commit } of layers) await scratch.setRef(blobRef(digest), commit);
    await scratch.pull(ctx);
  } finally {
    scratch.remove();
  }
}
