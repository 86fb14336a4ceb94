// The plan stage: looks at the manifest alone and says what a pull would have to do.
import { setImmediate } from "node:timers/promises";
import { BootcError } from "../../errors.ts";
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import { formatDecimalSize } from "../../format/size.ts";
import { type ImageConfig, requireBootable } from "../../image/config.ts";
import { splitLayers } from "../../image/layer-kinds.ts";
import { toOciManifest } from "../../image/manifest.ts";
import { platformOf } from "../../image/platform.ts";
import type { ImageReference, OstreeReference } from "../../image/reference.ts";
import { canonicalizeReference, parseRegistryName } from "../../image/registry-name.ts";
import type { OpenedImage } from "../../programs/skopeo/proxy.ts";
import type { SkopeoSource } from "../../programs/skopeo/skopeo.ts";
import type { WantedBlob } from "../../repository/cache.ts";
import { hasLeftovers, type WholeImage } from "../../repository/clean/leftovers.ts";
import { requireRepository } from "../../repository/files.ts";
import { type CachedUpdate, writeCachedUpdate } from "../../repository/image-commit.ts";
import {
  findLayers,
  findLayersOf,
  type PlannedLayer,
  readWholeImage,
  type StoredImage,
} from "../../repository/images.ts";
import { withRepositoryLock } from "../../repository/lock.ts";
import type { Context } from "../../system/context.ts";
import { limitsOf, type PullRequest } from "../request.ts";
import {
  inspectOpened,
  type Look,
  lookByProxy,
  type NoLook,
  readConfigByProxy,
} from "./by-proxy.ts";
import { askForConfig, type Inspected, inspectConfigOf, inspectForHost } from "./inspect.ts";
import { orNoRoom } from "./room.ts";
import { readSource } from "./source.ts";

/** What is pulled, and from where. */
export interface PullTarget {
  readonly request: PullRequest;
  /** The reference without a tag where there is a digest as well. */
  readonly image: ImageReference;
  readonly source: SkopeoSource;
  /** The image, held open for the fetch by the proxy that read its manifest. Only a plan to fetch has one. */
  readonly opened?: OpenedImage | undefined;
}

/** An image by its bytes. */
export interface ImageContent extends Inspected {
  readonly config: ImageConfig;
}

interface Planned extends PullTarget {
  /** What the reference names now. */
  readonly offered: ImageContent;
  /** Of the stored image unless it is to be fetched, then of what is offered. */
  readonly layers: readonly PlannedLayer[];
}

interface StoredWhole extends WholeImage {
  /** A run that was killed has left something, which the pull removes. */
  readonly hasLeftovers: boolean;
}

/** The repository has the image: the same manifest, or another with the same configuration. */
export interface UnchangedPlan extends Planned, StoredWhole {
  readonly kind: "unchanged";
}

/** The repository has the image, but a policy has to accept it again. */
export interface JudgeAgainPlan extends Planned, StoredWhole {
  readonly kind: "judge-again";
}

/** The offered image has to be stored, and its missing layers fetched. */
export interface FetchPlan extends Planned {
  readonly kind: "fetch";
  /** The image stored under this name so far. */
  readonly stored: StoredImage | undefined;
}

export type PullPlan = UnchangedPlan | JudgeAgainPlan | FetchPlan;

/**
 * Finds out what the reference names now and what of it the repository lacks. Changes nothing.
 * Errors: `network`, `authentication`, `policy` (only a default that vouches for nothing: skopeo
 * evaluates the policy when it copies), `integrity`, `unsupported`.
 */
export async function planPull(ctx: Context, request: PullRequest): Promise<PullPlan> {
  await requireRepository(request.repo);
  const image = canonicalizeReference(request.reference.image);
  const target = { request, image, source: await readSource(ctx, request.copy ?? image, request) };
  const pinned = pinnedDigest(image);
  // The registry's answer takes longer than everything else here, so it is asked first.
  const started = pinned === undefined ? startLook(ctx, target) : undefined;
  await started?.begun;
  const whole = await readStored(target).catch(async (error: unknown) => {
    (await started?.look.catch(() => undefined))?.opened?.close();
    throw error;
  });
  const stored = whole?.stored;
  if (stored !== undefined && stored.manifestDigest === pinned) {
    return await planOffered({ ...target, whole }, stored, stored);
  }
  const { look: looking } = started ?? startLook(ctx, target);
  const look = await looking;
  if (look.opened === undefined) {
    const offered = await readOffered(ctx, target, { stored, failure: look.failure });
    return await planOffered({ ...target, whole }, stored, offered);
  }
  return await planLook(ctx, { ...target, whole }, { stored, look });
}

/** The stored image, with what a plan to leave it as it is says about it. */
async function readStored({ request, image }: PullTarget): Promise<StoredWhole | undefined> {
  const stored = await readWholeImage(request.repo, image);
  return stored && (await readWhole(request.repo, stored));
}

async function readWhole(repo: string, stored: StoredImage): Promise<StoredWhole> {
  const layers = await findLayersOf(repo, stored);
  return { stored, layers, hasLeftovers: await hasLeftovers(repo, layers) };
}

interface StartedLook {
  readonly look: Promise<Look | NoLook>;
  /** Resolves when skopeo runs. What keeps our only thread busy before that would keep skopeo waiting. */
  readonly begun: Promise<void>;
}

function startLook(ctx: Context, { request, source }: PullTarget): StartedLook {
  const { promise, resolve: onStart } = Promise.withResolvers<void>();
  const look = lookByProxy(ctx, source, { timeoutMs: limitsOf(request).stallMs, onStart });
  // Its error is reported by the caller that awaits it.
  look.catch(() => undefined).then(() => onStart());
  // A program is started by promises alone, which are all settled before the next turn.
  return { look, begun: promise.then(() => setImmediate()) };
}

interface LookTarget extends PullTarget {
  readonly whole?: StoredWhole | undefined;
}

/** The plan for an image that a proxy holds open, which is kept so for a fetch and else closed. */
async function planLook(
  ctx: Context,
  target: LookTarget,
  { stored, look }: { readonly stored: StoredImage | undefined; readonly look: Look },
): Promise<PullPlan> {
  const { opened } = look;
  let isKept = false;
  try {
    // Where nothing is new, as is most often the case, the manifest is not read: what hashes it takes 8 ms
    // to load.
    if (stored?.manifestDigest === opened.manifestDigest) {
      return await planOffered(target, stored, stored);
    }
    const inspected = await inspectOpened(ctx, opened);
    if (inspected === undefined) {
      return await planOffered(target, stored, await readOffered(ctx, target, { stored }));
    }
    const offered = await completeLook(ctx, target, { stored, opened, inspected });
    const plan = await planOffered(target, stored, offered);
    if (plan.kind !== "fetch" || !look.isAccepted) return plan;
    isKept = true;
    return { ...plan, opened };
  } finally {
    if (!isKept) opened.close();
  }
}

interface Inspection {
  readonly stored: StoredImage | undefined;
  readonly opened: OpenedImage;
  readonly inspected: Inspected;
}

async function completeLook(
  ctx: Context,
  { request, image, source }: PullTarget,
  { stored, opened, inspected }: Inspection,
): Promise<ImageContent> {
  if (stored !== undefined && isSameImage(stored, inspected)) {
    return { ...inspected, config: stored.config };
  }
  const limits = { timeoutMs: limitsOf(request).stallMs };
  const readConfig = async () =>
    (await readConfigByProxy(ctx, opened, inspected)) ??
    (await inspectConfigOf(ctx, source, { ...limits, of: inspected }));
  const config = await orNoRoom({ request, image }, inspected.manifest, readConfig);
  return { ...inspected, config };
}

/** Makes the plan again under the repository's lock: another writer may have stored or removed the image. */
export async function planAgain(plan: PullPlan): Promise<PullPlan> {
  const stored = await readWholeImage(plan.request.repo, plan.image);
  return await planOffered(plan, stored, plan.offered);
}

async function readOffered(
  ctx: Context,
  { request, image, source }: PullTarget,
  { stored, failure }: Pick<NoLook, "failure"> & { readonly stored: StoredImage | undefined },
): Promise<ImageContent> {
  const limits = { timeoutMs: limitsOf(request).stallMs };
  // A new image needs its configuration in any case, so both are asked for at once.
  const isNew = stored === undefined && failure === undefined;
  const early = isNew ? askForConfig(ctx, source, limits) : undefined;
  early?.catch(() => undefined); // the manifest's error is the one to report
  const isKnown = (digest: string) => digest === stored?.manifestDigest;
  const inspected = await inspectForHost(ctx, source, {
    ...limits,
    isKnown,
    isRetry: failure === "passing",
  });
  if (stored !== undefined) {
    if (inspected === undefined) return stored;
    if (isSameImage(stored, inspected)) return { ...inspected, config: stored.config };
  }
  if (inspected === undefined) throw new Error("unreachable: known, but not stored");
  const config = await orNoRoom({ request, image }, inspected.manifest, () =>
    inspectConfigOf(ctx, source, { ...limits, of: inspected, early }),
  );
  return { ...inspected, config };
}

function pinnedDigest(image: ImageReference): string | undefined {
  return image.transport === "registry" ? parseRegistryName(image.name)?.digest : undefined;
}

async function planOffered(
  { request, image, source, opened, whole }: LookTarget,
  stored: StoredImage | undefined,
  offered: ImageContent,
): Promise<PullPlan> {
  const kind = decideKind(request.reference, stored, offered);
  if (stored === undefined || kind === "fetch") {
    return await planNew({ request, image, source, opened, stored }, offered);
  }
  const found = whole ?? (await readWhole(request.repo, stored));
  requireVerifiable(request.reference, found.layers);
  return { kind, request, image, source, offered, ...found };
}

/** A stored image is judged again because it may have been stored under another policy, or none. */
export function decideKind(
  { verification }: Pick<OstreeReference, "verification">,
  stored: Inspected | undefined,
  offered: Inspected,
): PullPlan["kind"] {
  if (stored === undefined || !isSameImage(stored, offered)) return "fetch";
  return verification.kind === "policy" ? "judge-again" : "unchanged";
}

/** The same manifest, or the same configuration and so the same content. */
function isSameImage(stored: Inspected, offered: Inspected): boolean {
  return (
    offered.manifestDigest === stored.manifestDigest ||
    offered.manifest.config.digest === stored.manifest.config.digest
  );
}

type FetchTarget = PullTarget & Pick<FetchPlan, "stored">;

/** The plan for an image that is new here. Unlike a stored one, it is checked against this machine. */
export async function planNew(target: FetchTarget, offered: ImageContent): Promise<FetchPlan> {
  return await orNoRoom(target, offered.manifest, async () => {
    if (target.request.requiresBootable) requireBootable(offered.config, platformOf(process.arch));
    return await planFetch(target, offered);
  });
}

/** The plan to store the offered image, whatever the repository has under that name. */
export async function planFetch(
  { request, image, source, opened, stored }: FetchTarget,
  { manifestDigest, manifest, config }: ImageContent,
): Promise<FetchPlan> {
  const offered = { manifestDigest, manifest: toOciManifest(manifest), config };
  const layers = await findVerifiable(request, offered);
  return { kind: "fetch", request, image, source, opened, stored, offered, layers };
}

async function findVerifiable(
  { repo, reference }: PullRequest,
  { manifest, config }: ImageContent,
): Promise<readonly PlannedLayer[]> {
  const layers = splitLayers(manifest, config);
  requireVerifiable(reference, layers);
  return await findLayers(repo, layers);
}

/** An ostree remote signs commits, and there is nothing like that for the layers on top of one. */
function requireVerifiable(
  { verification }: OstreeReference,
  layers: readonly Pick<PlannedLayer, "kind">[],
): void {
  if (verification.kind !== "remote" || layers.every((it) => it.kind !== "derived")) return;
  throw new BootcError(
    `the keys of the ostree remote \`${verification.remote}\` cannot vouch for an image with layers ` +
      "on top of its ostree commit",
    { kind: "policy", hint: "verify it by a containers policy instead" },
  );
}

/** Lets skopeo end, which a plan to fetch something keeps for the download. */
export function closePlan(plan: PullPlan): void {
  if (plan.kind === "fetch") plan.opened?.close();
}

/** The image that the repository has after the plan is carried out, unless the tag moves meanwhile. */
export function plannedImage(plan: PullPlan): ImageContent {
  return plan.kind === "fetch" ? plan.offered : plan.stored;
}

/** The layers that the repository lacks, each digest once: a manifest may name one several times. */
export function missingLayers({ layers }: Pick<PullPlan, "layers">): readonly PlannedLayer[] {
  const missing = layers.filter((it) => it.commit === undefined);
  return [...new Map(missing.map((it) => [it.digest, it])).values()];
}

/** Compressed size of the layers that the repository lacks. */
export function sumMissing(plan: Pick<PullPlan, "layers">): number {
  return missingLayers(plan).reduce((sum, it) => sum + it.sizeBytes, 0);
}

/** A layer's blob as it lies in the cache. Stored images have theirs uncompressed, named by diff-id. */
export function blobOf({ source }: Pick<PullTarget, "source">, layer: PlannedLayer): WantedBlob {
  if (source.image.transport === "containers-storage") {
    return { digest: layer.diffId, sizeBytes: undefined };
  }
  return { digest: layer.digest, sizeBytes: layer.sizeBytes };
}

/** The commit of the encapsulated base, from the repository or just imported. */
export function baseCommitOf(
  { layers }: Pick<PullPlan, "layers">,
  imported: ReadonlyMap<string, string>,
): string | undefined {
  const layer = layers.find((it) => it.kind === "commit");
  return layer && (layer.commit ?? imported.get(layer.digest));
}

/** Remembers a planned update beside the stored image, so that `status` can show it. */
export async function recordUpdate(ctx: Context, plan: PullPlan): Promise<void> {
  if (plan.kind !== "fetch") return;
  const { manifestDigest, manifest, config } = plan.offered;
  await writeUpdate(ctx, plan, {
    manifestDigest,
    manifest: formatCanonicalJson(manifest),
    config: formatCanonicalJson(config),
  });
}

/** Forgets the update that an earlier check saw and that is gone again. */
export async function forgetUpdate(ctx: Context, plan: PullPlan): Promise<void> {
  await writeUpdate(ctx, plan, undefined);
}

async function writeUpdate(
  ctx: Context,
  { stored, request }: PullPlan,
  update: CachedUpdate | undefined,
): Promise<void> {
  if (stored === undefined) return;
  const at = { repo: request.repo, commit: stored.commit };
  await withRepositoryLock(ctx, request.repo, {
    options: { purpose: "recording an update", timeoutMs: request.lockTimeoutMs },
    work: () => writeCachedUpdate(ctx, at, update),
  });
}

/** What a person reads before a pull: how many layers are here and how many come; nothing if all are. */
export function describePlan(plan: PullPlan): string | undefined {
  const { layers } = plan;
  const needed = layers.filter((it) => it.commit === undefined).length;
  if (needed === 0) return undefined;
  const size = formatDecimalSize(sumMissing(plan));
  return `layers already present: ${layers.length - needed}; layers needed: ${needed} (${size})`;
}
