// Pulling an image: plan, fetch, import, merge, commit. One writer of a repository at a time.
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { BootcError, doing, kindOf } from "../errors.ts";
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { createdEpochOf, parseConfig, versionOf } from "../image/config.ts";
import { parseImageManifest, toOciManifest } from "../image/manifest.ts";
import { formatImageReference } from "../image/reference.ts";
import { createRef } from "../programs/ostree/repo.ts";
import { requireSigned } from "../programs/ostree/verify.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import {
  type BlobCache,
  blobPath,
  closeCache,
  hasUnfinished,
  openCache,
  placeholdBlob,
  readBlobSize,
  type WantedBlob,
} from "../repository/cache.ts";
import { deletePrivateRefs } from "../repository/cleanup.ts";
import { listDeploymentRefs, readRef } from "../repository/files.ts";
import { findLayersOf, readWholeImage, type StoredImage } from "../repository/images.ts";
import { withRepositoryLock } from "../repository/lock.ts";
import {
  listRuns,
  type Protection,
  protectStored,
  readProtected,
} from "../repository/protection.ts";
import { removeWorkDirectories } from "../repository/scratch.ts";
import { requireSpace } from "../repository/space.ts";
import { type Context, withSignal } from "../system/context.ts";
import { VERSION } from "../version.ts";
import { fetchImage } from "./fetch/fetch.ts";
import { type Arrivals, allOrAbort, createArrivals } from "./import/arrivals.ts";
import {
  baseCommitOf,
  blobOf,
  type ImportedLayers,
  importLayers,
  missingLayers,
  noteFiltered,
} from "./import/schedule.ts";
import { commitImage } from "./merge/commit.ts";
import {
  type BegunMerge,
  beginMerge,
  type MergeRequest,
  mergeLayers,
  noteReplacedLinks,
} from "./merge/merge.ts";
import { digestOf } from "./plan/inspect.ts";
import { type ImageContent, type PullPlan, planChanged, planLayers } from "./plan/plan.ts";
import { limitsOf, type PulledImage } from "./request.ts";

/**
 * Carries out a plan (of `planPull`): afterwards the repository holds the image whole, under its ref.
 * An unchanged plan returns at once, unless a policy has to vouch for it. Waits for another writer, then
 * fails as `busy`. Interrupted or failed, it leaves layers that are complete, and the next run carries on.
 * With a `protection` the image is safe from everybody's clean-ups until that ends.
 */
export async function pullImage(
  ctx: Context,
  plan: PullPlan,
  { protection }: { readonly protection?: Protection } = {},
): Promise<PulledImage> {
  const { repo } = plan.request;
  if (plan.isUnchanged && plan.stored) {
    await requireVouched(ctx, plan, new Map());
    await finishKilled(ctx, plan);
    const isSafe = protection === undefined || (await isDeployed(repo, plan.stored));
    if (isSafe && !needsPolicy(plan)) return unchanged(plan.stored);
  }
  return await asWriter(ctx, plan, async () => {
    // While we waited for the lock another writer may have done some of the work, or all of it.
    const stored = await readWholeImage(repo, plan.image);
    if (stored?.manifestDigest === plan.manifestDigest) {
      return await useStored(ctx, { ...plan, stored }, protection);
    }
    return await withLayers(ctx, { ...plan, stored }, (it) => commit(ctx, it, protection));
  });
}

type StoredPlan = PullPlan & { readonly stored: StoredImage };

/** Whoever stored the image may have asked nobody to vouch for it, or somebody else. */
async function useStored(
  ctx: Context,
  plan: StoredPlan,
  protection: Protection | undefined,
): Promise<PulledImage> {
  const { stored, request } = plan;
  if (needsPolicy(plan)) return await evaluatePolicy(ctx, plan, protection);
  const layers = await findLayersOf(request.repo, stored);
  await requireVouched(ctx, { ...plan, layers }, new Map());
  return await keepStored(ctx, plan, protection);
}

function needsPolicy({ request }: PullPlan): boolean {
  return request.reference.verification.kind === "policy";
}

/**
 * skopeo evaluates the policy when it copies and at no other time, so a stored image is copied once more,
 * without its layers. Where the tag has moved meanwhile, what it names now takes the image's place.
 */
async function evaluatePolicy(
  ctx: Context,
  plan: StoredPlan,
  protection: Protection | undefined,
): Promise<PulledImage> {
  const { stored } = plan;
  return await withLayers(ctx, { ...plan, ...plan.offered, isUnchanged: true }, async (image) => {
    const { config } = image.plan.manifest;
    if (config.digest !== stored.manifest.config.digest)
      return await commit(ctx, image, protection);
    await deletePrivateRefs(plan.request.repo, image.plan.layers);
    return await keepStored(ctx, plan, protection);
  });
}

async function keepStored(
  ctx: Context,
  { stored, request: { repo } }: StoredPlan,
  protection: Protection | undefined,
): Promise<PulledImage> {
  if (protection) await protectStored(ctx, protection, { repo, commit: stored.commit });
  return unchanged(stored);
}

/** A deployment keeps its image by itself. */
async function isDeployed(repo: string, { commit }: StoredImage): Promise<boolean> {
  const refs = await listDeploymentRefs(repo);
  return (await Promise.all(refs.map((it) => readRef(repo, it)))).includes(commit);
}

/**
 * Fetches an image that is nothing but an encapsulated ostree commit, and gives that commit. `ref` is
 * moved to it; without one it is garbage for the next prune. The image itself is not stored.
 */
export async function pullBase(
  ctx: Context,
  plan: PullPlan,
  { ref }: { readonly ref: string | undefined },
): Promise<string> {
  const { repo } = plan.request;
  return await asWriter(ctx, plan, () =>
    withLayers(ctx, plan, async ({ plan: done, imported }) => {
      await requireVouched(ctx, done, imported.commits);
      const base = baseCommitOf(done, imported.commits);
      if (base === undefined) throw new Error("unreachable: an image without a commit layer");
      if (ref !== undefined) await createRef(ctx, repo, { ref, commit: base });
      await deletePrivateRefs(repo, done.layers);
      return base;
    }),
  );
}

/** Where an ostree remote is to vouch for the image, its keys must have signed the commit in it. */
async function requireVouched(
  ctx: Context,
  plan: PullPlan,
  imported: ReadonlyMap<string, string>,
): Promise<void> {
  const { repo, reference } = plan.request;
  if (reference.verification.kind !== "remote") return;
  const commit = baseCommitOf(plan, imported);
  if (commit === undefined) throw new Error("unreachable: the plan has no commit to vouch for");
  await requireSigned(ctx, { repo, commit, remote: reference.verification.remote });
}

async function asWriter<T>(ctx: Context, plan: PullPlan, work: () => Promise<T>): Promise<T> {
  const { request } = plan;
  const purpose = `pulling ${formatImageReference(plan.image)}`;
  return await withRepositoryLock(ctx, request.repo, {
    options: {
      purpose,
      timeoutMs: request.lockTimeoutMs,
      ...(request.onEvent && {
        onWait: (holder: string) => request.onEvent?.({ type: "waiting", holder }),
      }),
    },
    work: () => doing(purpose, work),
  });
}

/** A pull may be killed when its image is there already, but not yet all of what it needed gone. */
async function finishKilled(ctx: Context, plan: PullPlan): Promise<void> {
  const { repo } = plan.request;
  if (!(await hasUnfinished(repo)) && (await listRuns(repo)).length === 0) return;
  const options = { purpose: "removing leftovers", timeoutMs: 0, onWait: () => undefined };
  const work = async () => {
    await removeWorkDirectories(repo);
    await readProtected(ctx, repo);
    const cache = await openCache(ctx, repo, []);
    addDocuments(cache, plan);
    await deletePrivateRefs(repo, plan.layers);
    await closeCache(cache);
  };
  try {
    await withRepositoryLock(ctx, repo, { options, work });
  } catch (error) {
    // Somebody is pulling just now, so what we saw is no leftover.
    if (kindOf(error) !== "busy") throw error;
  }
}

function unchanged(stored: StoredImage): PulledImage {
  const { commit, manifestDigest, manifest, config } = stored;
  return { commit, manifestDigest, manifest, config, isUnchanged: true };
}

/** Fetches and imports what is missing, then has `use` make something of it. */
async function withLayers<T>(
  ctx: Context,
  planned: PullPlan,
  use: (image: ImportedImage) => Promise<T>,
): Promise<T> {
  await removeWorkDirectories(planned.request.repo);
  await readProtected(ctx, planned.request.repo);
  const { isUnchanged } = planned;
  const plan = { ...(await planLayers(planned, planned)), isUnchanged };
  const wanted = missingLayers(plan).map((it) => blobOf(plan, it));
  if (!isUnchanged || wanted.length > 0) announce(plan);
  const cache = await openCache(ctx, plan.request.repo, wanted);
  addDocuments(cache, plan);
  try {
    const cached = await Promise.all(wanted.map((it) => readBlobSize(cache, it.digest)));
    const cachedBytes = cached.reduce<number>((sum, it) => sum + (it ?? 0), 0);
    await requireSpace(plan.request.repo, {
      image: formatImageReference(plan.image),
      requiredBytes: plan.neededBytes - cachedBytes,
    });
    return await use(await fetchAndImport(ctx, plan, cache));
  } finally {
    await closeCache(cache);
  }
}

function addDocuments(
  { documents }: BlobCache,
  { manifest, manifestDigest }: Pick<PullPlan, "manifest" | "manifestDigest">,
): void {
  documents.add(manifestDigest).add(manifest.config.digest);
}

function announce({ request, image, manifestDigest, layers }: PullPlan): void {
  request.onEvent?.({
    type: "planned",
    image: formatImageReference(image),
    manifestDigest,
    layers: layers.map(({ digest, kind, sizeBytes, commit: it }) => ({
      digest,
      kind,
      sizeBytes,
      isPresent: it !== undefined,
    })),
  });
}

function announceFetched(plan: PullPlan, blob: WantedBlob, onEvent: OnPullEvent): void {
  for (const layer of missingLayers(plan)) {
    if (blobOf(plan, layer).digest !== blob.digest) continue;
    onEvent({ type: "layer", digest: layer.digest, state: "fetched" });
  }
}

interface ImportedImage {
  readonly plan: PullPlan;
  readonly imported: ImportedLayers;
  /** The merge of the layers that were there before; undefined when there were none to begin with. */
  readonly begun: BegunMerge | undefined;
}

async function fetchAndImport(
  ctx: Context,
  plan: PullPlan,
  cache: BlobCache,
): Promise<ImportedImage> {
  const abort = new AbortController();
  const inner = withSignal(ctx, abort.signal);
  const onEvent: OnPullEvent = (event) => plan.request.onEvent?.(event);
  const missing = missingLayers(plan);
  const wanted = missing.map((it) => blobOf(plan, it));
  const arrivals = createArrivals(
    wanted.map((it) => it.digest),
    inner.signal,
  );
  for (const layer of plan.layers.filter((it) => it.commit !== undefined)) {
    placeholdBlob(cache, blobOf(plan, layer).digest);
  }
  const present = plan.isUnchanged ? undefined : presentLowest(plan);
  let begun: Promise<BegunMerge> | undefined;
  // The child processes have the work for a while, and the layers below the new ones are known.
  const begin = () => {
    if (present !== undefined) begun ??= setImmediate().then(() => beginMerge(present));
    begun?.catch(() => undefined); // awaited below
  };
  const fetch = async () => {
    const text = await fetchImage(inner, plan.source, {
      cache,
      wanted,
      limits: limitsOf(plan.request),
      onComplete: (blob) => {
        announceFetched(plan, blob, onEvent);
        arrivals.arrived(blob.digest);
      },
      onStart: begin,
      onEvent,
    });
    endArrivals(plan, { arrivals, text });
    return text;
  };
  const [text, imported] = await allOrAbort<[string, ImportedLayers | undefined]>(abort, [
    fetch(),
    importLayers(inner, plan, { cache, arrivals, onEvent }).catch(unlessMoved),
  ]);
  addDocuments(cache, { manifest: parseImageManifest(text), manifestDigest: digestOf(text) });
  if (imported !== undefined && isAsPlanned(plan, text)) {
    return { plan, imported, begun: await begun };
  }
  return await importMoved(ctx, { ...plan, content: await readContent(cache, text) }, cache);
}

/** Stored images are copied in another form; what they were stored as was read by the plan. */
function isAsPlanned({ image, manifestDigest }: PullPlan, text: string): boolean {
  return image.transport === "containers-storage" || digestOf(text) === manifestDigest;
}

/** What those are told who wait for a layer that the image does not have any more. */
const MOVED = new BootcError("the image was replaced while it was fetched");

/** The copy has ended, and nobody may wait for a layer that it did not bring. */
function endArrivals(
  plan: PullPlan,
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

/** The tag moved after the plan was made: what was copied is newer, and complete. */
async function importMoved(
  ctx: Context,
  planned: PullPlan & { readonly content: ImageContent },
  cache: BlobCache,
): Promise<ImportedImage> {
  const plan = await planChanged(planned, planned.content);
  announce(plan);
  const onEvent: OnPullEvent = (event) => plan.request.onEvent?.(event);
  for (const it of missingLayers(plan)) announceFetched(plan, blobOf(plan, it), onEvent);
  const arrivals = createArrivals([], ctx.signal);
  const imported = await importLayers(ctx, plan, { cache, arrivals, onEvent });
  return { plan, imported, begun: undefined };
}

/** The lowest layers of the image as far as the repository has them; undefined when it lacks the first. */
function presentLowest(plan: PullPlan): MergeRequest | undefined {
  const base = baseCommitOf(plan, new Map());
  if (base === undefined && plan.layers.some((it) => it.kind === "commit")) return undefined;
  const derived = plan.layers.filter((it) => it.kind === "derived").map((it) => it.commit);
  const end = derived.indexOf(undefined);
  const lowest = (end < 0 ? derived : derived.slice(0, end)).filter((it) => it !== undefined);
  if (base === undefined && lowest.length === 0) return undefined;
  return { repo: plan.request.repo, base, derived: lowest };
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

async function commit(
  ctx: Context,
  { plan, imported, begun }: ImportedImage,
  protection: Protection | undefined,
): Promise<PulledImage> {
  const { request, manifest, manifestDigest, config } = plan;
  await requireVouched(ctx, plan, imported.commits);
  noteFiltered(ctx, imported);
  request.onEvent?.({ type: "stage", stage: "merging" });
  const commits = plan.layers.map((it) => {
    const found = it.commit ?? imported.commits.get(it.digest);
    if (found === undefined) throw new Error(`unreachable: layer ${it.digest} was not imported`);
    return { digest: it.digest, kind: it.kind, commit: found };
  });
  const trees = {
    repo: request.repo,
    base: baseCommitOf(plan, imported.commits),
    derived: commits.filter((it) => it.kind === "derived").map((it) => it.commit),
  };
  const merged = await mergeLayers(trees, begun);
  noteReplacedLinks(ctx, merged);
  const made = await commitImage(ctx, {
    ...trees,
    merged,
    reference: formatImageReference(plan.image),
    layers: commits,
    manifestDigest,
    manifest: formatCanonicalJson(toOciManifest(manifest)),
    config: formatCanonicalJson(config),
    createdEpoch: createdEpochOf(manifest, config) ?? Math.floor(Date.now() / 1000),
    importerVersion: VERSION,
    protectiveRef: await protection?.takeRef(),
    version: versionOf(config),
  });
  await deletePrivateRefs(request.repo, plan.layers);
  request.onEvent?.({ type: "stage", stage: "committed" });
  return { commit: made.commit, manifestDigest, manifest, config, isUnchanged: false };
}
