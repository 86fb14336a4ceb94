// The fetch stage: one skopeo copies what is missing into the cache, and is started anew when it gets stuck.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { shortDigest } from "../../image/digest.ts";
import { parseJsonObject, requireArray, requireObject, requireString } from "../../image/json.ts";
import type { ImageReference } from "../../image/reference.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import {
  asTransient,
  copyToLayout,
  isTransient,
  type SkopeoSource,
} from "../../programs/skopeo/skopeo.ts";
import type { OnPullEvent } from "../../progress/progress.ts";
import {
  type BlobCache,
  blobPath,
  removePartial,
  type WantedBlob,
} from "../../repository/cache.ts";
import type { Context } from "../../system/context.ts";
import { digestOf } from "../plan/inspect.ts";
import type { FetchLimits } from "../request.ts";
import { backoffMs, pause } from "./retry.ts";
import { type BlobWatch, watchBlobs } from "./watch.ts";

export interface FetchOptions {
  readonly cache: BlobCache;
  readonly wanted: readonly WantedBlob[];
  readonly limits: FetchLimits;
  readonly onComplete: (blob: WantedBlob) => void;
  /** Called when skopeo is about to run, perhaps several times: what it needs no help for may be done now. */
  readonly onStart?: () => void;
  readonly onEvent: OnPullEvent;
}

/** How often arriving bytes are counted, in milliseconds. */
const LOOK_MS = 200;

/**
 * Fetches the wanted blobs; `onComplete` is called for each as soon as it is complete, those of an
 * earlier run included. Gives the manifest that was copied, as text; its policy has accepted it.
 */
export async function fetchImage(
  ctx: Context,
  source: SkopeoSource,
  options: FetchOptions,
): Promise<string> {
  const watch = watchBlobs(options.cache, options);
  try {
    await watch.look();
    const traffic = watchTraffic(watch, options.onEvent);
    await copyUntilComplete(ctx, source, { ...options, watch, traffic });
    await watch.look();
  } finally {
    watch.stop();
  }
  return await readCopiedManifest(options.cache);
}

interface Attempts extends FetchOptions {
  readonly watch: BlobWatch;
  readonly traffic: Traffic;
}

/** When the last byte arrived, over all attempts. */
interface Traffic {
  readonly lastAt: number;
  /** Looks at what is there by now. */
  look(): Promise<void>;
}

function watchTraffic(watch: BlobWatch, onEvent: OnPullEvent): Traffic {
  let lastAt = Date.now();
  let lastBytes = watch.bytes;
  return {
    get lastAt() {
      return lastAt;
    },
    async look() {
      await watch.look();
      const { bytes } = watch;
      if (bytes === lastBytes) return;
      // Fewer than before: something half-written was removed, and nothing arrived by that.
      if (bytes > lastBytes) lastAt = Date.now();
      lastBytes = bytes;
      onEvent({ type: "fetched-bytes", bytes });
    },
  };
}

async function copyUntilComplete(ctx: Context, source: SkopeoSource, it: Attempts): Promise<void> {
  let failures = 0;
  for (;;) {
    const completeBefore = it.watch.complete;
    const error = await attempt(ctx, source, it);
    if (error === undefined) return;
    await it.traffic.look();
    await removePartial(it.cache);
    // What the next attempt fetches is counted from here.
    await it.traffic.look();
    failures = it.watch.complete > completeBefore ? 1 : failures + 1;
    const isOver = Date.now() - it.traffic.lastAt >= it.limits.giveUpMs;
    if (isOver || failures >= it.limits.attemptsMax) throw giveUp(error, source.image, it);
    const delayMs = backoffMs(failures);
    it.onEvent({ type: "retry", reason: messageOf(error), delayMs });
    await pause(ctx, delayMs);
  }
}

/** One run of skopeo; gives the error that may pass by itself, throws any other. */
async function attempt(ctx: Context, source: SkopeoSource, it: Attempts): Promise<unknown> {
  const stalled = new AbortController();
  const copied = copyToLayout(ctx, source, { target: it.cache, signal: stalled.signal });
  it.onStart?.();
  const ended = new AbortController();
  const supervision = supervise(ctx, ended.signal, { ...it, source, stalled }).catch((error) =>
    stalled.abort(error),
  );
  try {
    await copied;
    return undefined;
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (isTransient(error)) return error;
    throw error;
  } finally {
    ended.abort();
    await supervision;
  }
}

interface Supervised extends Attempts {
  readonly source: SkopeoSource;
  readonly stalled: AbortController;
}

/** Counts bytes until `ended`, and ends an attempt to which none came for too long. */
async function supervise(ctx: Context, ended: AbortSignal, it: Supervised): Promise<void> {
  const startedAt = Date.now();
  const until = { ...ctx, signal: AbortSignal.any([ctx.signal, ended]) };
  while (!until.signal.aborted) {
    await it.traffic.look();
    const quietMs = Date.now() - Math.max(startedAt, it.traffic.lastAt);
    if (isRemote(it.source.image) && quietMs >= it.limits.stallMs) {
      it.stalled.abort(stallError(it.source.image, it.limits));
      return;
    }
    await pause(until, LOOK_MS).catch(() => undefined); // either signal ends the loop
  }
}

/** Local sources may unpack or convert for long before a byte reaches the cache. */
function isRemote(image: ImageReference): boolean {
  return image.transport === "registry";
}

function stallError(image: ImageReference, { stallMs }: FetchLimits): BootcError {
  const message = `nothing came from \`${hostOf(image)}\` for ${stallMs / 1000} s`;
  return asTransient(new BootcError(message, { kind: "network" }));
}

function giveUp(error: unknown, image: ImageReference, it: Attempts): BootcError {
  const incomplete = it.wanted.filter((blob) => !it.watch.isComplete(blob));
  const names = incomplete.map((blob) => shortDigest(blob.digest));
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names;
  return new BootcError(
    `gave up fetching from \`${hostOf(image)}\`; not complete: ${shown.join(", ") || "the manifest"}`,
    { cause: error, hint: "run it again to carry on; complete layers are not fetched again" },
  );
}

function hostOf({ transport, name }: ImageReference): string {
  if (transport !== "registry") return `${transport}:${name}`;
  return parseRegistryName(name)?.registry ?? name;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The one manifest the layout's index names, verified against the digest it is named by. */
async function readCopiedManifest(cache: BlobCache): Promise<string> {
  const what = "the index of the copied image";
  const index = parseJsonObject(what, await readFile(join(cache.layoutDir, "index.json"), "utf8"));
  const [entry] = requireArray(index.manifests, what, "manifests");
  const digest = requireString(requireObject(entry, what, "manifests[0]").digest, what, "digest");
  const text = await readFile(blobPath(cache, digest), "utf8");
  if (digestOf(text) === digest) return text;
  throw new BootcError(`the copied manifest is not \`${digest}\``, { kind: "integrity" });
}
