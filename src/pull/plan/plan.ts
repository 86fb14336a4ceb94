// The plan stage: looks at the manifest alone and says what a pull would have to do.
import { BootcError } from "../../errors.ts";
import { formatCanonicalJson } from "../../format/canonical-json.ts";
import { formatDecimalSize } from "../../format/size.ts";
import { type ImageConfig, requireBootable } from "../../image/config.ts";
import { splitLayers } from "../../image/layer-plan.ts";
import { type ImageManifest, toOciManifest } from "../../image/manifest.ts";
import { platformOf } from "../../image/platform.ts";
import type { ImageReference, OstreeReference } from "../../image/reference.ts";
import {
  canonicalizeReference,
  parseRegistryName,
  requireRegistryName,
} from "../../image/registry-name.ts";
import {
  readAuthFile,
  requireAccessFiles,
  requirePolicyFile,
  requireSecureDefault,
} from "../../programs/skopeo/policy.ts";
import type { RegistryAccess, SkopeoSource } from "../../programs/skopeo/skopeo.ts";
import { requireRepository } from "../../repository/files.ts";
import { type CachedUpdate, writeCachedUpdate } from "../../repository/image-commit.ts";
import {
  findLayers,
  type PlannedLayer,
  readWholeImage,
  type StoredImage,
} from "../../repository/images.ts";
import { withRepositoryLock } from "../../repository/lock.ts";
import type { Context } from "../../system/context.ts";
import { DEFAULT_LIMITS, limitsOf, type PullRequest } from "../request.ts";
import { askForConfig, type Inspected, inspectConfigOf, inspectForHost } from "./inspect.ts";

export interface PullPlan {
  readonly request: PullRequest;
  /** What is pulled: the reference without a tag where there is a digest as well. */
  readonly image: ImageReference;
  readonly source: SkopeoSource;
  /** The image of this name in the repository. */
  readonly stored: StoredImage | undefined;
  /** The stored image is the one the registry has: same manifest, or same configuration. */
  readonly isUnchanged: boolean;
  /** What the registry has: of an unchanged image perhaps another manifest with the same configuration. */
  readonly offered: Inspected;
  /** Of the manifest for this machine; the stored image's when unchanged. */
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly layers: readonly PlannedLayer[];
  /** Compressed size of the layers that are not in the repository. */
  readonly neededBytes: number;
}

/**
 * Finds out what the reference names now and what of it the repository lacks. Changes nothing.
 * Errors: `network`, `authentication`, `policy` (only a default that vouches for nothing: skopeo
 * evaluates the policy when it copies), `integrity`, `unsupported`.
 */
export async function planPull(ctx: Context, request: PullRequest): Promise<PullPlan> {
  await requireRepository(request.repo);
  const image = canonicalizeReference(request.reference.image);
  const stored = await readWholeImage(request.repo, image);
  const source = await readSource(ctx, image, request);
  const base = { request, image, source };
  if (stored && stored.manifestDigest === pinnedDigest(image)) {
    return await planUnchanged({ ...base, stored }, stored);
  }
  const limits = { timeoutMs: limitsOf(request).stallMs };
  // A new image needs its configuration in any case, so both are asked for at once.
  const early = stored === undefined ? askForConfig(ctx, source, limits) : undefined;
  early?.catch(() => undefined); // the manifest's error is the one to report
  const isKnown = (digest: string) => digest === stored?.manifestDigest;
  const inspected = await inspectForHost(ctx, source, { ...limits, isKnown });
  if (stored && (inspected === undefined || isSameImage(inspected, stored))) {
    return await planUnchanged({ ...base, stored }, inspected ?? stored);
  }
  if (inspected === undefined) throw new Error("unreachable: known, but not stored");
  const config = await inspectConfigOf(ctx, source, { ...limits, of: inspected, early });
  return await planChanged({ ...base, stored }, { ...inspected, config });
}

/** The image by its bytes: what `planChanged` turns into layers to get. */
export interface ImageContent extends Inspected {
  readonly config: ImageConfig;
}

type PlanBase = Pick<PullPlan, "request" | "image" | "source" | "stored">;

/** The plan for an image that is new here, and whose manifest and configuration are known. */
export async function planChanged(base: PlanBase, content: ImageContent): Promise<PullPlan> {
  if (base.request.requiresBootable) requireBootable(content.config, platformOf(process.arch));
  return await planLayers(base, content);
}

/** The same for an image that has been looked at before: what the repository lacks of it by now. */
export async function planLayers(base: PlanBase, content: ImageContent): Promise<PullPlan> {
  const { manifestDigest, config } = content;
  const offered = { manifestDigest, manifest: content.manifest };
  const manifest = toOciManifest(content.manifest);
  const split = splitLayers(manifest, config);
  requireVerifiable(base.request.reference, split);
  const layers = await findLayers(base.request.repo, split);
  const neededBytes = sumNeeded(layers);
  const found = { offered, manifestDigest, manifest, config, layers, neededBytes };
  return { ...base, ...found, isUnchanged: false };
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

async function planUnchanged(
  base: PlanBase & { readonly stored: StoredImage },
  { manifestDigest: offeredDigest, manifest: offeredManifest }: Inspected,
): Promise<PullPlan> {
  const offered = { manifestDigest: offeredDigest, manifest: offeredManifest };
  const { manifestDigest, manifest, config } = base.stored;
  requireVerifiable(base.request.reference, splitLayers(manifest, config));
  const layers = await findLayers(base.request.repo, splitLayers(manifest, config));
  const found = { offered, manifestDigest, manifest, config, layers, neededBytes: 0 };
  return { ...base, ...found, isUnchanged: true };
}

/** The same manifest, or the same configuration and so the same content. */
function isSameImage(inspected: Inspected, stored: StoredImage): boolean {
  return (
    inspected.manifestDigest === stored.manifestDigest ||
    inspected.manifest.config.digest === stored.manifest.config.digest
  );
}

/** Bytes of distinct layers: a manifest may name one several times. */
function sumNeeded(layers: readonly PlannedLayer[]): number {
  const missing = layers.filter((it) => it.commit === undefined);
  const sizes = new Map(missing.map((it) => [it.digest, it.sizeBytes]));
  return [...sizes.values()].reduce((sum, it) => sum + it, 0);
}

function pinnedDigest(image: ImageReference): string | undefined {
  return image.transport === "registry" ? parseRegistryName(image.name)?.digest : undefined;
}

async function readSource(
  ctx: Context,
  image: ImageReference,
  { reference, access }: Pick<PullRequest, "reference" | "access">,
): Promise<SkopeoSource> {
  if (image.transport === "registry") requireRegistryName(image.name);
  const policyFile = await requirePolicyFile(ctx);
  if (reference.verification.kind === "policy") await requireSecureDefault(policyFile);
  return { image, policyFile, access: await decideAccess(ctx, image, access ?? {}) };
}

/** Without credentials for ostree's images, access is anonymous: podman's own are not looked at. */
async function decideAccess(
  ctx: Context,
  image: ImageReference,
  access: RegistryAccess,
): Promise<RegistryAccess> {
  if (access.isAnonymous && access.authFile !== undefined) {
    throw new BootcError("access cannot be anonymous and use credentials", { kind: "usage" });
  }
  await requireAccessFiles(access);
  if (access.isAnonymous || access.authFile !== undefined) return access;
  if (image.transport !== "registry") return access;
  const authFile = await readAuthFile(ctx);
  return authFile === undefined ? { ...access, isAnonymous: true } : { ...access, authFile };
}

/** The manifest a reference names now, an index resolved for this machine; nothing is compared or kept. */
export async function inspectReference(
  ctx: Context,
  reference: OstreeReference,
  access: RegistryAccess,
): Promise<Inspected> {
  const image = canonicalizeReference(reference.image);
  const source = await readSource(ctx, image, { reference, access });
  const options = { timeoutMs: DEFAULT_LIMITS.stallMs, isKnown: () => false };
  const inspected = await inspectForHost(ctx, source, options);
  if (inspected === undefined) throw new Error("unreachable: nothing was known");
  return inspected;
}

/** Remembers a planned update beside the stored image, so that `status` can show it. */
export async function recordUpdate(ctx: Context, plan: PullPlan): Promise<void> {
  if (plan.isUnchanged) return;
  await writeUpdate(ctx, plan, {
    manifestDigest: plan.manifestDigest,
    manifest: formatCanonicalJson(plan.manifest),
    config: formatCanonicalJson(plan.config),
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
export function describePlan({ layers, neededBytes }: PullPlan): string | undefined {
  const needed = layers.filter((it) => it.commit === undefined).length;
  if (needed === 0) return undefined;
  const size = formatDecimalSize(neededBytes);
  return `layers already present: ${layers.length - needed}; layers needed: ${needed} (${size})`;
}
