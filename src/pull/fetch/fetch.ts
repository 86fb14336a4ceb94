// The fetch stage: one skopeo copies what is missing into the cache, and is started anew when it gets stuck.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, messageOf } from "../../errors.ts";
import { parseJsonObject, requireArray, requireObject, requireString } from "../../format/json.ts";
import { shortDigest } from "../../image/digest.ts";
import type { ImageReference } from "../../image/reference.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import type { OpenedImage } from "../../programs/skopeo/proxy.ts";
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
import { pause } from "../../system/pause.ts";
import { digestOf } from "../plan/inspect.ts";
import type { FetchLimits } from "../request.ts";
import { fetchByProxy, isForProxy } from "./by-proxy.ts";
import { backoffMs } from "./retry.ts";
import { type BlobWatch, watchBlobs } from "./watch.ts";

export interface FetchOptions {
  readonly cache: BlobCache;
  readonly wanted: readonly WantedBlob[];
  readonly limits: FetchLimits;
  /** The image, held open by a proxy: a few blobs come through it. It is closed in any case. */
  readonly opened?: OpenedImage | undefined;
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
  const { cache, opened } = options;
  const watch = watchBlobs(cache, options);
  try {
    await watch.look();
    const way = await fetchUntilComplete(ctx, beginDownload(source, options, watch));
    await watch.look();
    return way === undefined ? await readCopiedManifest(cache) : await way.readManifest();
  } finally {
    opened?.close();
    watch.stop();
  }
}

/** One download over all its attempts. */
interface Download extends FetchOptions {
  readonly source: SkopeoSource;
  readonly watch: BlobWatch;
  /** When the last byte arrived. */
  lastByteAt: number;
  /** Bytes that had arrived at the last look. */
  seenBytes: number;
}

function beginDownload(source: SkopeoSource, options: FetchOptions, watch: BlobWatch): Download {
  return { ...options, source, watch, lastByteAt: Date.now(), seenBytes: watch.bytes };
}

/** Gives the proxy that brought the rest; undefined when a copy did. */
async function fetchUntilComplete(
  ctx: Context,
  download: Download,
): Promise<OpenedImage | undefined> {
  const { cache, limits, onEvent, watch } = download;
  let way = proxyFor(download);
  let failures = 0;
  for (;;) {
    const completeBefore = watch.complete;
    const error = await attempt(ctx, download, way);
    if (error === undefined) return way;
    await countBytes(download);
    await removePartial(cache);
    // What the next attempt fetches is counted from here.
    await countBytes(download);
    // A lasting failure may concern only the proxy; if not, the copy fails as well, and that is reported.
    const isFinal = way === undefined || isTransient(error);
    way = undefined;
    if (!isFinal) continue;
    failures = watch.complete > completeBefore ? 1 : failures + 1;
    const isOver = Date.now() - download.lastByteAt >= limits.giveUpMs;
    if (isOver || failures >= limits.attemptsMax) throw giveUp(error, download);
    const delayMs = backoffMs(failures);
    onEvent({ type: "retry", reason: messageOf(error), delayMs });
    await pause(ctx, delayMs);
  }
}

function proxyFor({ opened, ...download }: Download): OpenedImage | undefined {
  return isForProxy(missingOf(download)) ? opened : undefined;
}

function missingOf({ wanted, watch }: Pick<Download, "wanted" | "watch">): readonly WantedBlob[] {
  return wanted.filter((it) => !watch.isComplete(it));
}

/** One try; gives the error that may pass by itself, or that a copy may avoid, and throws any other. */
async function attempt(
  ctx: Context,
  download: Download,
  proxy: OpenedImage | undefined,
): Promise<unknown> {
  const stalled = new AbortController();
  const ended = new AbortController();
  const { cache } = download;
  const { signal } = stalled;
  const fetched =
    proxy === undefined
      ? copyToLayout(ctx, download.source, { target: cache, signal })
      : fetchByProxy(proxy, {
          ...{ cache, blobs: missingOf(download) },
          signal: AbortSignal.any([ctx.signal, signal]),
        });
  download.onStart?.();
  const supervision = supervise(ctx, download, { stalled, ended: ended.signal });
  try {
    await fetched;
    return undefined;
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (isTransient(error) || proxy !== undefined) return error;
    throw error;
  } finally {
    ended.abort();
    await supervision;
  }
}

interface Supervision {
  /** Aborted when the attempt has to end, with the reason. */
  readonly stalled: AbortController;
  /** The attempt has ended by itself. */
  readonly ended: AbortSignal;
}

/** Counts bytes during an attempt, and aborts it when none came for too long. Never rejects. */
async function supervise(
  ctx: Context,
  download: Download,
  { stalled, ended }: Supervision,
): Promise<void> {
  const { source, limits } = download;
  const startedAt = Date.now();
  const until = { ...ctx, signal: AbortSignal.any([ctx.signal, ended]) };
  try {
    while (!until.signal.aborted) {
      await countBytes(download);
      const quietMs = Date.now() - Math.max(startedAt, download.lastByteAt);
      if (isRemote(source.image) && quietMs >= limits.stallMs) {
        stalled.abort(stallError(source.image, limits));
        return;
      }
      await pause(until, LOOK_MS).catch(() => undefined); // either signal ends the loop
    }
  } catch (error) {
    stalled.abort(error);
  }
}

async function countBytes(download: Download): Promise<void> {
  await download.watch.look();
  const { bytes } = download.watch;
  if (bytes === download.seenBytes) return;
  // Fewer than before: something half-written was removed, and nothing arrived by that.
  if (bytes > download.seenBytes) download.lastByteAt = Date.now();
  download.seenBytes = bytes;
  download.onEvent({ type: "fetched-bytes", bytes });
}

/** Local sources may unpack or convert for long before a byte reaches the cache. */
function isRemote(image: ImageReference): boolean {
  return image.transport === "registry";
}

function stallError(image: ImageReference, { stallMs }: FetchLimits): BootcError {
  const message = `nothing came from \`${hostOf(image)}\` for ${stallMs / 1000} s`;
  return asTransient(new BootcError(message, { kind: "network" }));
}

function giveUp(error: unknown, { source, wanted, watch }: Download): BootcError {
  const incomplete = missingOf({ wanted, watch });
  const names = incomplete.map((blob) => shortDigest(blob.digest));
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names;
  return new BootcError(
    `gave up fetching from \`${hostOf(source.image)}\`; not complete: ${shown.join(", ") || "the manifest"}`,
    { cause: error, hint: "run it again to carry on; complete layers are not fetched again" },
  );
}

function hostOf({ transport, name }: ImageReference): string {
  if (transport !== "registry") return `${transport}:${name}`;
  return parseRegistryName(name)?.registry ?? name;
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
