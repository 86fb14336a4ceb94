// Removing what nothing needs any more: image refs, layer refs, blobs, then the objects behind them.
// The rules are upstream's, so that either program may clean up after the other.
import { join, posix } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { type ImageManifest, parseImageManifest } from "../../image/manifest.ts";
import { formatImageReference, parseOstreeReference } from "../../image/reference.ts";
import { canonicalizeReference } from "../../image/registry-name.ts";
import { keyfileValue, parseKeyfile } from "../../ostree/keyfile.ts";
import {
  BASE_IMAGE_PREFIX,
  BLOB_PREFIX,
  IMAGE_PREFIX,
  imageRef,
  PRIVATE_PREFIX,
  pendingRef,
  TREE_PREFIX,
  unescapeRef,
} from "../../ostree/ref-names.ts";
import { deleteRefs } from "../../programs/ostree/repo.ts";
import { readOrigins } from "../../sysroot/deployments.ts";
import type { Context } from "../../system/context.ts";
import { removeFileSync } from "../../system/files.ts";
import { emptyCache } from "../cache.ts";
import { DEPLOYMENT_PREFIXES, listRefs, readRef } from "../files.ts";
import { readImageCommit } from "../image-commit.ts";
import { removeWorkDirectories } from "../scratch.ts";
import { protectDeployed } from "./deployed.ts";
import { readProtected } from "./protection.ts";
import { removeUnnamedRefs } from "./unnamed-files.ts";

/** Refs whose commits keep their layers, besides images: deployments, rpm-ostree's bases, protected ones. */
const ROOT_PREFIXES = [...DEPLOYMENT_PREFIXES, "rpmostree/base", BASE_IMAGE_PREFIX];

/**
 * Deletes the refs of layers that no image, deployment or protected commit consists of. A stored image
 * that cannot be read is an error, and nothing is deleted. The caller holds the repository's lock.
 */
export async function pruneLayers(ctx: Context, repo: string): Promise<number> {
  await readProtected(ctx, repo); // the refs of killed runs keep no layers
  await protectDeployed(ctx, repo);
  const garbage = decideLayerGarbage(await listRefs(repo, BLOB_PREFIX), await readRoots(repo));
  await deleteRefs(ctx, repo, garbage);
  return garbage.length;
}

/** Layer refs of `refs` that none of `manifests` needs. */
export function decideLayerGarbage(
  refs: readonly string[],
  manifests: readonly ImageManifest[],
): readonly string[] {
  const needed = new Set(manifests.flatMap((it) => it.layers.map(({ digest }) => digest)));
  return refs.filter((it) => !needed.has(unescapeRef(BLOB_PREFIX, it)));
}

async function readRoots(repo: string): Promise<readonly ImageManifest[]> {
  const lists = await Promise.all([IMAGE_PREFIX, ...ROOT_PREFIXES].map((it) => listRefs(repo, it)));
  const manifests: ImageManifest[] = [];
  for (const ref of lists.flat()) {
    const commit = await readRef(repo, ref);
    if (commit === undefined) continue; // gone since it was listed
    const metadata = await doing(`reading \`${ref}\``, () => readImageCommit(repo, commit));
    if (metadata !== undefined) manifests.push(parseImageManifest(metadata.manifest));
  }
  return manifests;
}

/**
 * Deletes the refs of images that no deployment of `sysroot` follows, those that runs under way are about to
 * deploy excepted. Gives their names. An origin that cannot be understood is an error, and nothing is
 * deleted. The caller holds the repository's lock.
 */
export async function pruneImages(
  ctx: Context,
  { sysroot, repo }: { readonly sysroot: string; readonly repo: string },
): Promise<readonly string[]> {
  const followed = new Set(await readFollowedImages(sysroot));
  const protectedCommits = await readProtected(ctx, repo);
  const names: string[] = [];
  for (const ref of await listRefs(repo, IMAGE_PREFIX)) {
    const name = unescapeRef(IMAGE_PREFIX, ref);
    if (followed.has(name)) continue;
    const commit = await readRef(repo, ref);
    if (commit === undefined || !protectedCommits.has(commit)) names.push(name);
  }
  await removeImages(ctx, repo, names);
  return names;
}

/** The images that deployments of any stateroot follow, as refs name them. */
async function readFollowedImages(sysroot: string): Promise<readonly string[]> {
  const origins = await readOrigins(sysroot);
  return origins.flatMap(({ path, text }) => requireFollowed(path, text));
}

function requireFollowed(path: string, text: string): readonly string[] {
  try {
    return followedImage(text);
  } catch (cause) {
    // Nobody typed it just now, so it is not a mistake in usage.
    throw new BootcError(`reading ${path}`, { kind: "integrity", cause });
  }
}

/** The names an origin keeps: as it is written, and as a pull shortens it. */
export function followedImage(origin: string): readonly string[] {
  const value = keyfileValue(parseKeyfile(origin), "origin", "container-image-reference");
  if (value === undefined) return [];
  const { image } = parseOstreeReference(value);
  return [
    ...new Set([formatImageReference(image), formatImageReference(canonicalizeReference(image))]),
  ];
}

/** Deletes what pulls left that were interrupted and never carried on: refs and blobs. */
export async function removeAbandoned(repo: string): Promise<void> {
  await deletePrivateRefs(repo);
  await removeWorkDirectories(repo);
  await emptyCache(repo);
}

/** Deletes refs of images; layers that only they needed are garbage then. An absent one is not an error. */
export async function removeImages(
  ctx: Context,
  repo: string,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  // Before the images go: until then, their refs keep what a deployment may be made of.
  await protectDeployed(ctx, repo);
  await deleteRefs(ctx, repo, names.map(imageRef));
}

/**
 * Deletes the refs of unfinished pulls: those of the given layers, or all. The caller holds the repository's
 * lock, so no pull is under way. Nobody else uses these refs, so we remove their files ourselves: starting
 * ostree for that takes longer than everything else at the end of an update.
 */
export async function deletePrivateRefs(repo: string, layers?: SomeLayers): Promise<void> {
  const garbage = await listPrivateRefs(repo, layers);
  for (const ref of garbage) removeFileSync(join(repo, "refs/heads", ref));
  await removeUnnamedRefs(repo);
}

type SomeLayers = readonly { readonly digest: string }[];

/** The refs of unfinished pulls: those of the given layers, or all. */
export async function listPrivateRefs(
  repo: string,
  layers?: SomeLayers,
): Promise<readonly string[]> {
  const refs = await listRefs(repo, PRIVATE_PREFIX);
  const names = layers && new Set(layers.map((it) => posix.basename(pendingRef(it.digest))));
  const isGarbage = (ref: string) =>
    names === undefined || names.has(posix.basename(ref)) || ref.startsWith(`${TREE_PREFIX}/`);
  return refs.filter(isGarbage);
}
