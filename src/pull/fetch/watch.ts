// Watching a download: which blobs have become complete, and how many bytes have arrived.
import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { hexOf } from "../../image/digest.ts";
import {
  type BlobCache,
  readBlobSize,
  readPartialBytes,
  type WantedBlob,
} from "../../repository/cache.ts";

export interface BlobWatch {
  /** Bytes of complete and of half-written blobs, as of the last look. */
  readonly bytes: number;
  /** How many of the wanted blobs are complete. */
  readonly complete: number;
  isComplete(blob: WantedBlob): boolean;
  /** Looks again now. */
  look(): Promise<void>;
  stop(): void;
}

export interface WatchOptions {
  readonly wanted: readonly WantedBlob[];
  /** Called once for each blob, when it is complete. */
  readonly onComplete: (blob: WantedBlob) => void;
}

/**
 * Watches the blob directory. The kernel reports new files at once. If the user's limit of watches is
 * exhausted, polling finds them later.
 */
export function watchBlobs(cache: BlobCache, { wanted, onComplete }: WatchOptions): BlobWatch {
  const missing = new Map(wanted.map((it) => [hexOf(it.digest), it]));
  const state = { completeBytes: 0, partialBytes: 0 };
  const check = async (blob: WantedBlob) => {
    const sizeBytes = await readBlobSize(cache, blob.digest);
    if (sizeBytes === undefined || !missing.delete(hexOf(blob.digest))) return;
    state.completeBytes += sizeBytes;
    onComplete(blob);
  };
  const watcher = tryWatch(join(cache.blobDir, "sha256"), (name) => {
    const blob = missing.get(name);
    // What fails here fails in the next look as well, and is reported there.
    if (blob !== undefined) check(blob).catch(() => undefined);
  });
  return {
    get bytes() {
      return state.completeBytes + state.partialBytes;
    },
    get complete() {
      return wanted.length - missing.size;
    },
    isComplete: (blob) => !missing.has(hexOf(blob.digest)),
    async look() {
      state.partialBytes = await readPartialBytes(cache);
      for (const blob of [...missing.values()]) await check(blob);
    },
    stop: () => watcher?.close(),
  };
}

function tryWatch(dir: string, onName: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(dir, (_event, name) => onName(name ?? ""));
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
