// Fetching a few blobs through the proxy that has the image open already: no new process, no new connection.
import { rename } from "node:fs/promises";
import type { OpenedImage } from "../../programs/skopeo/proxy.ts";
import { type BlobCache, blobPath, partialPath, type WantedBlob } from "../../repository/cache.ts";

/**
 * The proxy brings one blob after another, and `skopeo copy` six at a time once it is connected: for more
 * blobs than this it is faster, near and far.
 */
const BLOBS_MAX = 2;

export function isForProxy(blobs: readonly WantedBlob[]): boolean {
  return blobs.length <= BLOBS_MAX && blobs.every((it) => it.sizeBytes !== undefined);
}

export interface ProxyFetch {
  readonly cache: BlobCache;
  readonly blobs: readonly WantedBlob[];
  readonly signal: AbortSignal;
}

/** Puts the blobs into the cache as `skopeo copy` would: under their names when they are complete. */
export async function fetchByProxy(
  opened: OpenedImage,
  { cache, blobs, signal }: ProxyFetch,
): Promise<void> {
  for (const { digest, sizeBytes = 0 } of blobs) {
    const partial = partialPath(cache, digest);
    try {
      await opened.download({ digest, sizeBytes }, partial, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
    await rename(partial, blobPath(cache, digest));
  }
}
