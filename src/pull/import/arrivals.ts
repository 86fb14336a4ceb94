// Where an import waits for its blob: resolved when the blob is complete, rejected when the pull ends.

export interface Arrivals {
  arrived(digest: string): void;
  /** What has not arrived yet. */
  missing(): readonly string[];
  /** Nothing arrives any more: who waits is told `reason`. */
  end(reason: unknown): void;
  /** Resolves once `digest` has arrived; rejects with the reason of the end or of the signal. */
  wait(digest: string): Promise<void>;
}

export function createArrivals(digests: readonly string[], signal: AbortSignal): Arrivals {
  const blobs = new Map(digests.map((it) => [it, Promise.withResolvers<void>()]));
  for (const { promise } of blobs.values()) {
    // Whether anybody waits for a blob at the time the pull fails is a matter of chance.
    promise.catch(() => undefined);
  }
  const end = (reason: unknown) => {
    for (const { reject } of blobs.values()) reject(reason);
  };
  if (signal.aborted) end(signal.reason);
  else signal.addEventListener("abort", () => end(signal.reason), { once: true });
  const missing = new Set(digests);
  return {
    end,
    missing: () => [...missing],
    arrived(digest) {
      missing.delete(digest);
      blobs.get(digest)?.resolve();
    },
    async wait(digest) {
      await blobs.get(digest)?.promise;
    },
  };
}

/** Waits for all, and throws the first error after it made `abort` end the others. */
export async function allOrAbort<T extends readonly unknown[]>(
  abort: AbortController,
  work: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const settled = work.map((it) =>
    it.catch((error: unknown) => {
      abort.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(settled);
  if (abort.signal.aborted) throw abort.signal.reason;
  return (await Promise.all(settled)) as unknown as T;
}
