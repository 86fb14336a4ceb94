// Which images and layers a repository has, read from its refs and commits.
import { statSync } from "node:fs";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { type ImageConfig, parseConfig } from "../image/config.ts";
import { type ImageLayer, indexByDiffId, splitLayers } from "../image/layer-kinds.ts";
import { type ImageManifest, parseImageManifest } from "../image/manifest.ts";
import { formatImageReference, type ImageReference } from "../image/reference.ts";
import { objectPath } from "../ostree/objects.ts";
import { blobRef, IMAGE_PREFIX, imageRef, pendingRef, unescapeRef } from "../ostree/ref-names.ts";
import { listRefs, readRef, requireRepository } from "./files.ts";
import { type ImageMetadata, readImageCommit } from "./image-commit.ts";

/** An image in a repository. */
export interface StoredImage {
  readonly commit: string;
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/** The image of that name; undefined when there is none, or one too old to say what it is made of. */
export async function readStoredImage(
  repo: string,
  image: ImageReference,
): Promise<StoredImage | undefined> {
  const name = formatImageReference(image);
  const commit = await readRef(repo, imageRef(name));
  if (commit === undefined) return undefined;
  return await doing(`reading the stored image ${name}`, async () => {
    const metadata = await readImageCommit(repo, commit);
    return metadata === undefined ? undefined : parseStored(metadata);
  });
}

/**
 * Like the above, but undefined if the repository lost the commit or the ref of a layer, without which
 * upstream programs refuse the host. Such an image has to be pulled again.
 */
export async function readWholeImage(
  repo: string,
  image: ImageReference,
): Promise<StoredImage | undefined> {
  const stored = await readStoredImage(repo, image);
  if (stored === undefined || !isWhole(repo, stored.commit)) return undefined;
  const layers = await Promise.all(
    stored.manifest.layers.map((it) => readCommitRef(repo, blobRef(it.digest))),
  );
  return layers.includes(undefined) ? undefined : stored;
}

/** The image of that name; having none is an error. */
export async function requireStoredImage(
  repo: string,
  image: ImageReference,
): Promise<StoredImage> {
  await requireRepository(repo);
  const stored = await readStoredImage(repo, image);
  if (stored !== undefined) return stored;
  throw noImage(repo, [formatImageReference(image)]);
}

export function noImage(repo: string, names: readonly string[]): BootcError {
  return new BootcError(`no image \`${names.join("`, `")}\` in \`${repo}\``, {
    hint: "`ostree container image list` shows what there is",
  });
}

/** The names of all stored images, as they are printed. */
export async function listStoredImages(repo: string): Promise<readonly string[]> {
  await requireRepository(repo);
  const refs = await listRefs(repo, IMAGE_PREFIX);
  return refs.map((it) => unescapeRef(IMAGE_PREFIX, it)).sort();
}

function parseStored(metadata: ImageMetadata): StoredImage | undefined {
  // Very old importers wrote the word null where the configuration belongs.
  if (metadata.config === undefined) return undefined;
  return {
    commit: metadata.commit,
    manifestDigest: metadata.manifestDigest,
    manifest: parseImageManifest(metadata.manifest),
    config: parseConfig(metadata.config),
  };
}

export interface PlannedLayer extends ImageLayer {
  /** The commit of this layer, when the repository has it. */
  readonly commit: string | undefined;
}

/**
 * Looks each layer up: by its own ref, by the ref of an unfinished pull, and by its diff-id among the
 * layers of all stored images, which finds layers that were merely compressed anew.
 */
export async function findLayers(
  repo: string,
  layers: readonly ImageLayer[],
): Promise<readonly PlannedLayer[]> {
  const found = await Promise.all(
    layers.map(async (it) => ({ ...it, commit: await findByDigest(repo, it.digest) })),
  );
  if (found.every((it) => it.commit !== undefined)) return found;
  const byDiffId = indexByDiffId(await readAllStored(repo));
  return await Promise.all(
    found.map(async (it) => {
      const equal = byDiffId.get(it.diffId);
      if (it.commit !== undefined || equal === undefined) return it;
      return { ...it, commit: await readCommitRef(repo, blobRef(equal)) };
    }),
  );
}

/** The layers of a stored image, each with its commit unless the repository lost it. */
export async function findLayersOf(
  repo: string,
  { manifest, config }: StoredImage,
): Promise<readonly PlannedLayer[]> {
  return await findLayers(repo, splitLayers(manifest, config));
}

/** Whether a layer is here under this digest. */
export async function hasLayer(repo: string, digest: string): Promise<boolean> {
  return (await findByDigest(repo, digest)) !== undefined;
}

async function findByDigest(repo: string, digest: string): Promise<string | undefined> {
  return (
    (await readCommitRef(repo, blobRef(digest))) ?? (await readCommitRef(repo, pendingRef(digest)))
  );
}

/** The commit a ref names, unless the repository lost it or has only a part of it. */
async function readCommitRef(repo: string, ref: string): Promise<string | undefined> {
  const commit = await readRef(repo, ref);
  return commit !== undefined && isWhole(repo, commit) ? commit : undefined;
}

/** Asked of every layer, so without a thread for each question. */
function isWhole(repo: string, commit: string): boolean {
  const object = join(repo, objectPath(commit, "commit"));
  return exists(object) && !exists(join(repo, `state/${commit}.commitpartial`));
}

async function readAllStored(repo: string): Promise<readonly StoredImage[]> {
  const refs = await listRefs(repo, IMAGE_PREFIX);
  const images = await Promise.all(
    refs.map(async (ref) => {
      const commit = await readRef(repo, ref);
      const metadata = commit === undefined ? undefined : await readImageCommit(repo, commit);
      return metadata === undefined ? undefined : parseStored(metadata);
    }),
  );
  return images.flatMap((it) => (it === undefined ? [] : [it]));
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
