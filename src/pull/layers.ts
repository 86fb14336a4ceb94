// Brings the layers of an image into the repository: fetches and imports them side by side.
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { BootcError } from "../errors.ts";
import { parseConfig } from "../image/config.ts";
import { parseImageManifest } from "../image/manifest.ts";
import { formatImageReference } from "../image/reference.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import {
  type BlobCache,
  blobPath,
  closeCache,
  noteDocuments,
  openCache,
  placeholdBlob,
  readBlobSize,
} from "../repository/cache.ts";
import { readProtected } from "../repository/clean/protection.ts";
import { removeWorkDirectories } from "../repository/scratch.ts";
import { requireSpace } from "../repository/space.ts";
import { type Context, withSignal } from "../system/context.ts";
import { fetchImage } from "./fetch/fetch.ts";
import { type Arrivals, allOrAbort, createArrivals } from "./import/arrivals.ts";
import { type ImportedLayers, importLayers } from "./import/schedule.ts";
import { createLabelSource, type LabelSource } from "./labels/lookups.ts";
import { type BegunMerge, beginMerge, type MergeRequest } from "./merge/merge.ts";
import { digestOf } from "./plan/inspect.ts";
import {
  baseCommitOf,
  blobOf,
  type FetchPlan,
  type ImageContent,
  missingLayers,
  planNew,
  sumMissing,
} from "./plan/plan.ts";
import { limitsOf } from "./request.ts";

export interface LayersOptions {
  readonly onEvent?: OnPullEvent | undefined;
  /** The image is stored already: it is announced only if a layer is missing, and no merge is begun. */
  readonly isStored: boolean;
}

export interface ImportedImage {
  /** The plan as carried out, for the image that the tag named when it was copied. */
  readonly plan: FetchPlan;
  readonly imported: ImportedLayers;
  /** The merge of the layers that were there before; undefined when there were none to begin with. */
  readonly begun: BegunMerge | undefined;
  /** Open as long as the image is in use. */
  readonly labels: LabelSource;
}

/** Fetches and imports what is missing, then runs `use` on the image. The caller holds the lock. */
export async function withLayers<T>(
  ctx: Context,
  plan: FetchPlan,
  { onEvent = () => undefined, isStored }: LayersOptions,
  use: (image: ImportedImage) => Promise<T>,
): Promise<T> {
  const { repo } = plan.request;
  await removeWorkDirectories(repo);
  await readProtected(ctx, repo);
  const wanted = missingLayers(plan).map((it) => blobOf(plan, it));
  if (!isStored || wanted.length > 0) announce(plan, onEvent);
  const cache = await openCache(ctx, repo, wanted);
  noteDocuments(cache, plan.offered);
  const labels = createLabelSource(repo);
  try {
    await requireSpaceFor(plan, cache);
    const begin = isStored ? undefined : presentLowest(plan);
    return await use(await fetchAndImport(ctx, { plan, cache, labels, onEvent, begin }));
  } finally {
    labels.close();
    await closeCache(cache);
  }
}

function announce({ image, offered, layers }: FetchPlan, onEvent: OnPullEvent): void {
  onEvent({
    type: "planned",
    image: formatImageReference(image),
    manifestDigest: offered.manifestDigest,
    layers: layers.map(({ digest, kind, sizeBytes, commit }) => ({
      digest,
      kind,
      sizeBytes,
      isPresent: commit !== undefined,
    })),
  });
}

async function requireSpaceFor(plan: FetchPlan, cache: BlobCache): Promise<void> {
  const digests = missingLayers(plan).map((it) => blobOf(plan, it).digest);
  const cached = await Promise.all(digests.map((it) => readBlobSize(cache, it)));
  const cachedBytes = cached.reduce<number>((sum, it) => sum + (it ?? 0), 0);
  await requireSpace(plan.request.repo, {
    image: formatImageReference(plan.image),
    requiredBytes: sumMissing(plan) - cachedBytes,
  });
}

/** The lowest layers of the image as far as the repository has them; undefined when it lacks the first. */
function presentLowest(plan: FetchPlan): MergeRequest | undefined {
  const base = baseCommitOf(plan, new Map());
  if (base === undefined && plan.layers.some((it) => it.kind === "commit")) return undefined;
  const derived = plan.layers.filter((it) => it.kind === "derived").map((it) => it.commit);
  const end = derived.indexOf(undefined);
  const lowest = (end < 0 ? derived : derived.slice(0, end)).filter((it) => it !== undefined);
  if (base === undefined && lowest.length === 0) return undefined;
  return { repo: plan.request.repo, base, derived: lowest };
}

interface Course {
  readonly plan: FetchPlan;
  readonly cache: BlobCache;
  readonly labels: LabelSource;
  readonly onEvent: OnPullEvent;
  /** The layers that may be merged while skopeo works. */
  readonly begin: MergeRequest | undefined;
}

async function fetchAndImport(ctx: Context, course: Course): Promise<ImportedImage> {
  const { plan, cache, labels, onEvent } = course;
  const abort = new AbortController();
  const inner = withSignal(ctx, abort.signal);
  const digests = missingLayers(plan).map((it) => blobOf(plan, it).digest);
  const arrivals = createArrivals(digests, inner.signal);
  placeholdPresent(plan, cache);
  const merge = mergeEarly(course.begin);
  const [text, imported] = await allOrAbort<[string, ImportedLayers | undefined]>(abort, [
    fetchCopy(inner, course, { arrivals, onStart: merge.start }),
    importLayers(inner, plan, { cache, labels, arrivals, onEvent }).catch(unlessMoved),
  ]);
  noteDocuments(cache, { manifest: parseImageManifest(text), manifestDigest: digestOf(text) });
  if (imported === undefined || !isAsPlanned(plan, text)) {
    return await importMoved(ctx, course, await readContent(cache, text));
  }
  return { plan, imported, begun: await merge.begun(), labels };
}

/** Keeps skopeo from fetching the layers that the repository has. */
function placeholdPresent(plan: FetchPlan, cache: BlobCache): void {
  for (const layer of plan.layers) {
    if (layer.commit !== undefined) placeholdBlob(cache, blobOf(plan, layer).digest);
  }
}

/** The merge of layers that are known from the beginning, started while child processes work. */
function mergeEarly(request: MergeRequest | undefined) {
  let begun: Promise<BegunMerge> | undefined;
  return {
    start() {
      if (request === undefined || begun !== undefined) return;
      begun = setImmediate().then(() => beginMerge(request));
      begun.catch(() => undefined); // reported by `begun`, if the pull gets that far
    },
    begun: async () => await begun,
  };
}

interface Copying {
  readonly arrivals: Arrivals;
  readonly onStart: () => void;
}

/** Copies the image; gives the text of the manifest that was copied. */
async function fetchCopy(
  ctx: Context,
  { plan, cache, onEvent }: Course,
  { arrivals, onStart }: Copying,
): Promise<string> {
  const missing = missingLayers(plan);
  const text = await fetchImage(ctx, plan.source, {
    cache,
    wanted: missing.map((it) => blobOf(plan, it)),
    limits: limitsOf(plan.request),
    opened: plan.opened,
    onComplete({ digest }) {
      const fetched = missing.filter((it) => blobOf(plan, it).digest === digest);
      for (const it of fetched) onEvent({ type: "layer", digest: it.digest, state: "fetched" });
      arrivals.arrived(digest);
    },
    onStart,
    onEvent,
  });
  endArrivals(plan, { arrivals, text });
  return text;
}

/** Ends the wait for a layer that the image no longer has. */
const MOVED = new BootcError("the image was replaced while it was fetched");

/** Ends the wait for layers that the copy, complete by now, did not bring. */
function endArrivals(
  plan: FetchPlan,
  { arrivals, text }: { readonly arrivals: Arrivals; readonly text: string },
): void {
  const [missing] = arrivals.missing();
  if (missing === undefined) return;
  if (!isAsPlanned(plan, text)) {
    arrivals.end(MOVED);
    return;
  }
  throw new BootcError(`skopeo copied the image without its layer \`${missing}\``, {
    kind: "unsupported",
    hint: "layers kept outside of the registry (those with `urls` in the manifest) are not fetched",
  });
}

function unlessMoved(error: unknown): undefined {
  if (error === MOVED) return undefined;
  throw error;
}

/** Stored images are copied in another form; what they were stored as was read by the plan. */
function isAsPlanned({ source, offered }: FetchPlan, text: string): boolean {
  return (
    source.image.transport === "containers-storage" || digestOf(text) === offered.manifestDigest
  );
}

async function readContent(cache: BlobCache, text: string): Promise<ImageContent> {
  const manifest = parseImageManifest(text);
  const { digest } = manifest.config;
  const config = await readFile(blobPath(cache, digest), "utf8");
  if (digestOf(config) !== digest) {
    throw new BootcError(`the copied configuration is not \`${digest}\``, { kind: "integrity" });
  }
  return { manifestDigest: digestOf(text), manifest, config: parseConfig(config) };
}

/** The tag moved after the plan was made: what was copied is newer, and complete. */
async function importMoved(
  ctx: Context,
  { plan: planned, cache, labels, onEvent }: Course,
  content: ImageContent,
): Promise<ImportedImage> {
  const plan = await planNew(planned, content);
  announce(plan, onEvent);
  for (const { digest } of missingLayers(plan)) {
    onEvent({ type: "layer", digest, state: "fetched" });
  }
  const arrivals = createArrivals([], ctx.signal);
  const imported = await importLayers(ctx, plan, { cache, labels, arrivals, onEvent });
  return { plan, imported, begun: undefined, labels };
}
