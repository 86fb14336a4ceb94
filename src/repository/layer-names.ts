// Further names of layers: the digests that their blobs have in an exported image.
import { blobRef } from "../ostree/ref-names.ts";
import { createRef } from "../programs/ostree/repo.ts";
import type { Context } from "../system/context.ts";
import { readRef } from "./files.ts";
import { findLayersOf, type StoredImage } from "./images.ts";
import { withRepositoryLock } from "./lock.ts";

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
    for (const { digest, commit } of layers) {
      const ref = blobRef(digest);
      const isWanted = present.has(commit) && (await readRef(repo, ref)) !== commit;
      if (isWanted) await createRef(ctx, repo, { ref, commit });
    }
  };
  await withRepositoryLock(ctx, repo, { options: { purpose: "naming exported layers" }, work });
}
