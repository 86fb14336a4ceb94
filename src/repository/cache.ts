// Where blobs wait between download and import: `extensions/bootc/` of the repository, left alone by ostree.
//
//   lock            held by the one writer
//   blobs/sha256/   complete blobs by digest; a symbolic link stands for one that is not needed
//   fetch-XXXXXX/   the image layout of one download, with its half-written blobs
import { createHash } from "node:crypto";
import { createReadStream, renameSync, symlinkSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { hexOf } from "../image/digest.ts";
import type { ImageManifest } from "../image/manifest.ts";
import type { Context } from "../system/context.ts";
import {
  ifAbsent,
  ifMissing,
  makeDirectories,
  readDirectoryIfAny,
  removeFileSync,
} from "../system/files.ts";

export interface BlobCache {
  /** What skopeo is told: it adds `sha256/` itself. */
  readonly blobDir: string;
  readonly layoutDir: string;
  /** Digests of the manifests and configurations that are here: they go when the download ends. */
  readonly documents: Set<string>;
}

/** A blob that is wanted: what its file is named by, and what must be in it. */
export interface WantedBlob {
  readonly digest: string;
  /** Unknown for blobs that are not stored as the manifest describes them. */
  readonly sizeBytes: number | undefined;
}

export function cacheDir(repo: string): string {
  return join(repo, "extensions/bootc");
}

/** The file that writers of the repository lock. Its directory is made when missing. */
export async function lockPath(repo: string): Promise<string> {
  // Blobs may hold what only root may read, whatever modes the files in them will have.
  await makeDirectories(cacheDir(repo), 0o700);
  return join(cacheDir(repo), "lock");
}

/**
 * Makes the cache ready for one download: removes what an earlier one left half-made. Of the `wanted`
 * blobs those that are complete stay; skopeo trusts any file of the right name, so they are hashed here.
 */
export async function openCache(
  ctx: Context,
  repo: string,
  wanted: readonly WantedBlob[],
): Promise<BlobCache> {
  const dir = cacheDir(repo);
  const blobDir = join(dir, "blobs");
  await makeDirectories(join(blobDir, "sha256"), 0o700);
  // The new one before the old ones go: killed in between, the next run must see that something is left.
  const layoutDir = await mkdtemp(join(dir, "fetch-"));
  await removeLayouts(repo, layoutDir);
  const byHex = new Map(wanted.map((it) => [hexOf(it.digest), it]));
  for (const name of await readdir(join(blobDir, "sha256"))) {
    const path = join(blobDir, "sha256", name);
    const blob = byHex.get(name);
    if (!(await isKept(ctx, path, blob))) await rm(path, { recursive: true });
  }
  return { blobDir, layoutDir, documents: new Set() };
}

/** A download of an earlier run did not end by itself: something of it may be left. */
export async function hasUnfinished(repo: string): Promise<boolean> {
  return (await readDirectoryIfAny(cacheDir(repo))).some((it) => it.startsWith("fetch-"));
}

async function removeLayouts(repo: string, except?: string): Promise<void> {
  const dir = cacheDir(repo);
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    if (name.startsWith("fetch-") && path !== except) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** What nobody wants now may be wanted by another pull; an empty file is what a power cut may have left. */
async function isKept(ctx: Context, path: string, blob: WantedBlob | undefined): Promise<boolean> {
  const found = await lstat(path);
  if (!found.isFile()) return false;
  return blob === undefined ? found.size > 0 : await isWhole(ctx, path, blob);
}

async function isWhole(ctx: Context, path: string, blob: WantedBlob): Promise<boolean> {
  const { size } = await lstat(path);
  if (blob.sizeBytes !== undefined && blob.sizeBytes !== size) return false;
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal: ctx.signal });
  return hash.digest("hex") === hexOf(blob.digest);
}

/** Marks the manifest and the configuration of an image for removal when the cache is closed. */
export function noteDocuments(
  { documents }: BlobCache,
  image: { readonly manifestDigest: string; readonly manifest: ImageManifest },
): void {
  documents.add(image.manifestDigest).add(image.manifest.config.digest);
}

export function blobPath(cache: BlobCache, digest: string): string {
  return join(cache.blobDir, "sha256", hexOf(digest));
}

/** The size of a complete blob; undefined when it is not here, or a placeholder is. */
export async function readBlobSize(cache: BlobCache, digest: string): Promise<number | undefined> {
  const found = await lstat(blobPath(cache, digest)).catch(ifMissing(undefined));
  return found?.isFile() ? found.size : undefined;
}

/**
 * Puts a placeholder where a blob is or would be: skopeo, which follows links, then does not fetch it. It
 * replaces the blob at once, since skopeo may look for it at any moment. No size would do as its sign: a
 * layer may have no bytes.
 */
export function placeholdBlob(cache: BlobCache, digest: string): void {
  const link = join(cache.layoutDir, `placeholder-${hexOf(digest)}`);
  symlinkSync("/dev/null", link);
  renameSync(link, blobPath(cache, digest));
}

/** Where a blob is written that we fetch ourselves; named as skopeo names its own. */
export function partialPath(cache: BlobCache, digest: string): string {
  return join(cache.layoutDir, `oci-put-blob-${hexOf(digest)}`);
}

/** Bytes of half-written blobs. */
export async function readPartialBytes(cache: BlobCache): Promise<number> {
  const names = await readdir(cache.layoutDir);
  const partial = names.filter((it) => it.startsWith("oci-put-blob"));
  const sizes = await Promise.all(partial.map((it) => sizeOf(join(cache.layoutDir, it))));
  return sizes.reduce((sum, it) => sum + it, 0);
}

/** Removes half-written blobs of an attempt that has ended. */
export async function removePartial(cache: BlobCache): Promise<void> {
  for (const name of await readdir(cache.layoutDir)) {
    if (name.startsWith("oci-put-blob")) await rm(join(cache.layoutDir, name), { force: true });
  }
}

/**
 * Ends the use of a cache: complete blobs that were not imported stay for the next run. The layout goes
 * last: while it is there, a run that was killed here is known to have left something (`hasUnfinished`).
 */
export async function closeCache(cache: BlobCache): Promise<void> {
  // At once, not by promises: an image has a hundred of them.
  for (const digest of cache.documents) removeFileSync(blobPath(cache, digest));
  const dir = join(cache.blobDir, "sha256");
  for (const it of await readdir(dir, { withFileTypes: true })) {
    if (it.isSymbolicLink()) removeFileSync(join(dir, it.name));
  }
  await rm(cache.layoutDir, { recursive: true, force: true });
}

/** Removes everything but the lock, which the caller holds; gives the bytes that became free. */
export async function emptyCache(repo: string): Promise<number> {
  const dir = cacheDir(repo);
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(ifAbsent([]));
  const files = entries.filter((it) => it.isFile() && it.name !== "lock");
  const sizes = await Promise.all(files.map((it) => sizeOf(join(it.parentPath, it.name))));
  await rm(join(dir, "blobs"), { recursive: true, force: true });
  if (entries.length > 0) await removeLayouts(repo);
  return sizes.reduce((sum, it) => sum + it, 0);
}

/** Zero for a file that has just been renamed or removed by its writer. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(ifMissing(undefined)))?.size ?? 0;
}
