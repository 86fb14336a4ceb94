// The import stage: a layer blob becomes a commit in one pass; nothing is visible before it is verified.
import { statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { BootcError, type ErrorKind, kindOf } from "../../errors.ts";
import type { LayerKind } from "../../image/layer-plan.ts";
import { pendingRef } from "../../ostree/ref-names.ts";
import { isOutOfRoom } from "../../programs/ostree/repo.ts";
import { rejectLayer } from "../../repository/pending.ts";
import { createScratch, makeWorkDirectory, type Scratch } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import { BLOCK, damagedTar } from "../../tar/header.ts";
import { createTarFilter, type TarHandler, type TarPart } from "../../tar/reader.ts";
import type { Batches, LayerSlot } from "../store/batches.ts";
import { type LayerStore, storeByOstree, storeByUs } from "../store/store.ts";
import { type LayerBlob, openLayerBlob } from "./blob.ts";
import { createDerivedRewrite } from "./derived.ts";
import { createObjectSet, type TakeMetadata } from "./object-set.ts";
import type { LayerFilter } from "./placement.ts";
import { createSpool, type Spool } from "./spool.ts";

export interface LayerImport {
  /** The repository's directory, as given to `ostree --repo`. */
  readonly repo: string;
  readonly kind: LayerKind;
  /** Names the layer's refs: the digest of its descriptor in the image's manifest. */
  readonly layerDigest: string;
  /** The complete blob: a file, or a stream. Any of gzip, zstd, plain tar, whatever its media type says. */
  readonly blob: string | Readable;
  /**
   * What the blob's bytes must be. The manifest's descriptor, except for blobs out of containers-storage,
   * which are stored uncompressed under their diff-id.
   */
  readonly digest: string;
  /** Compared when given. */
  readonly sizeBytes?: number | undefined;
  /** The digest of the uncompressed layer in the image's config; compared when given. */
  readonly diffId?: string | undefined;
  /** For `derived`: see `readDerivedSettings`. */
  readonly filter?: LayerFilter | undefined;
  /** For `derived`: a directory with `usr/etc/selinux`, by which entries are labelled. */
  readonly selinuxPolicyDir?: string | undefined;
  /** For `derived`: the value of `ostree.importer.version`. */
  readonly importerVersion: string;
  /** For `commit`: what the image's `ostree.commit` label promises; compared when given. */
  readonly baseCommit?: string | undefined;
  /** When given, layers whose files have no attributes are written by ourselves. */
  readonly batches?: Batches | undefined;
  /** Called with the number of compressed bytes taken in so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface ImportedLayer {
  /** The layer's commit; for kind `commit`, the base commit itself. */
  readonly commit: string;
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId: string;
  /** Paths left out because they have no place in an ostree commit, counted by what upstream reports. */
  readonly filtered: ReadonlyMap<string, number>;
  /** Device nodes, fifos and sockets left out. */
  readonly specialFiles: number;
  /** Resolves when the layer is durable under its private pending ref; its blob may be removed then. */
  readonly durable: Promise<void>;
}

/**
 * Imports one layer; soon after (see `durable`) it is in the repository under its private pending ref
 * (`pendingRef(layerDigest)`). A layer of kind `commit` comes when all chunk layers of its image are
 * durable, derived layers in any order after the settings are known (`readDerivedSettings`).
 *
 * Whatever goes wrong with the blob is a `BootcError` of kind `integrity`, and no ref exists then.
 */
export async function importLayer(ctx: Context, request: LayerImport): Promise<ImportedLayer> {
  const { repo, layerDigest } = request;
  try {
    return await importVerified(ctx, request);
  } catch (cause) {
    await rejectLayer(repo, layerDigest);
    throw new BootcError(`the layer \`${layerDigest}\` cannot be imported`, {
      cause,
      ...kindOfFailure(cause),
    });
  }
}

/** ostree's own refusals of a tar, by what it says; a full disk by its words. */
function kindOfFailure(cause: unknown): { kind?: ErrorKind } {
  if (kindOf(cause) !== "failed" || !(cause instanceof BootcError)) return {};
  if (isOutOfRoom(cause)) return { kind: "space" };
  const isRefusal =
    /ended by SIGABRT|Invalid argument|not supported|too long|[Tt]ar|archive|[Xx]attr|hardlink|Unsupported/;
  return isRefusal.test(cause.message.replace(/^`[^`]*`/, "")) ? { kind: "integrity" } : {};
}

async function importVerified(ctx: Context, request: LayerImport): Promise<ImportedLayer> {
  const { batches, layerDigest } = request;
  // A stream cannot be read again when it turns out to be nothing for us.
  if (batches !== undefined && typeof request.blob === "string" && canBeWritten(request)) {
    const layer = await inSlot(batches, (slot) =>
      importInto(ctx, request, storeByUs(ctx, slot, layerDigest)),
    );
    if (layer !== undefined) return layer;
  }
  const layer = await importInto(ctx, request, storeByOstree(ctx, request));
  if (layer === undefined) throw new Error("unreachable: a layer that ostree cannot store");
  return layer;
}

/** A layer that is not what it should be harms no other one; a disk that cannot be written to may. */
async function inSlot<T>(batches: Batches, work: (slot: LayerSlot) => Promise<T>): Promise<T> {
  const slot = await batches.open();
  try {
    return await work(slot);
  } catch (error) {
    if (kindOf(error) !== "integrity") slot.spoil(error);
    throw error;
  } finally {
    slot.end();
  }
}

/** Labels are made by ostree; the commit of a base is compared with what is in the repository by then. */
function canBeWritten({ kind, selinuxPolicyDir }: LayerImport): boolean {
  return kind !== "commit" && selinuxPolicyDir === undefined;
}

async function importInto(
  ctx: Context,
  request: LayerImport,
  store: LayerStore,
): Promise<ImportedLayer | undefined> {
  switch (request.kind) {
    case "derived":
      return await importDerived(request, store);
    case "chunk": {
      const layer = await importObjects(request, store, undefined);
      return layer && { ...layer, ...(await store.accept(layer.commit)) };
    }
    case "commit":
      return await importCommit(ctx, request, store);
  }
}

async function importDerived(
  request: LayerImport,
  store: LayerStore,
): Promise<ImportedLayer | undefined> {
  const { repo, filter, selinuxPolicyDir, importerVersion } = request;
  if (filter === undefined) throw new Error("unreachable: a derived layer without a filter");
  const work = await makeWorkDirectory(repo);
  const spool = createSpool(join(work, "spool"));
  try {
    const isLabelled = selinuxPolicyDir !== undefined;
    const rewrite = createDerivedRewrite({ filter, isLabelled, spool });
    const blob = openLayerBlob(request.blob, request);
    const tar = rewriteTar({ repo, blob, handle: rewrite.handle, finish: rewrite.finish, spool });
    const metadata = { "ostree.importer.version": importerVersion };
    const commit = await store.commit(tar, { selinuxPolicyDir, metadata });
    if (commit === undefined) return undefined;
    const { durable } = await store.accept(commit);
    const { filtered } = rewrite;
    const specialFiles = rewrite.specialFiles();
    return { commit, durable, diffId: blob.diffId(), filtered, specialFiles };
  } finally {
    spool.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** Content objects as in a chunk, the rest through a scratch repository; then the base commit is whole. */
async function importCommit(
  ctx: Context,
  request: LayerImport,
  store: LayerStore,
): Promise<ImportedLayer | undefined> {
  const { repo, layerDigest, baseCommit } = request;
  const scratch = await createScratch(repo);
  try {
    let base = "";
    const layer = await importObjects(request, store, (checksum, kind, bytes) => {
      if (kind === "commit" && base !== "") throw damagedTar("two commits");
      if (kind === "commit") base = checksum;
      if (kind === "commitmeta" && checksum !== base) throw damagedTar("metadata of no commit");
      scratch.add(checksum, kind, bytes);
    });
    if (layer === undefined) return undefined;
    if (base === "") throw damagedTar("no commit");
    if (baseCommit !== undefined && base !== baseCommit) {
      throw damagedTar(`the commit ${base}, not ${baseCommit} as the image's label says`);
    }
    await scratch.setRef(pendingRef(layerDigest), base);
    await pullBase(ctx, scratch);
    await rejectLayer(repo, layerDigest);
    return { ...layer, commit: base, durable: Promise.resolve() };
  } finally {
    scratch.remove();
  }
}

async function pullBase(ctx: Context, scratch: Scratch): Promise<void> {
  try {
    await scratch.pull(ctx);
  } catch (cause) {
    if (!/object|[Cc]orrupt|checksum|No such/.test(String(cause))) throw cause;
    throw new BootcError("the base commit is not complete", { kind: "integrity", cause });
  }
}

/** The content objects of a chunk or commit layer as one object-set commit, which is not accepted yet. */
async function importObjects(
  request: LayerImport,
  store: LayerStore,
  takeMetadata: TakeMetadata | undefined,
): Promise<Omit<ImportedLayer, "durable"> | undefined> {
  const objects = createObjectSet(takeMetadata);
  const blob = openLayerBlob(request.blob, request);
  const tar = rewriteTar({
    repo: request.repo,
    blob,
    handle: objects.handle,
    start: objects.start,
  });
  const commit = await store.commit(tar, { metadata: {}, timestampEpoch: 0 });
  if (commit === undefined) return undefined;
  if (commit !== objects.commit()) {
    throw damagedTar("an object whose content is not what its name says");
  }
  return { commit, diffId: blob.diffId(), filtered: new Map(), specialFiles: 0 };
}

interface TarParts {
  readonly repo: string;
  readonly blob: LayerBlob;
  readonly handle: TarHandler;
  readonly start?: Buffer;
  /** Gives what is to follow the last entry. */
  readonly finish?: () => readonly Uint8Array[];
  readonly spool?: Spool;
}

/** The new tar; its end marker comes only when the blob was proved to be the right one. */
async function* rewriteTar(parts: TarParts): AsyncGenerator<readonly Uint8Array[]> {
  const filter = createTarFilter(parts.handle);
  if (parts.start !== undefined) yield [parts.start];
  for await (const piece of parts.blob.tar) yield* resolveParts(filter.feed(piece), parts);
  const { hasEndMarker } = filter.end();
  // Without the marker only an announced diff-id, compared by now, proves that nothing is missing.
  if (!hasEndMarker && !parts.blob.isProven) throw damagedTar("no end marker");
  yield parts.finish?.() ?? [];
  yield [Buffer.alloc(2 * BLOCK)];
}

const ZEROS = Buffer.alloc(1 << 20);

/** Piece by piece, so that neither a large spooled file nor a large hole is ever whole in memory. */
function* resolveParts(
  parts: readonly TarPart[],
  { repo, spool }: TarParts,
): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      batch.push(part);
      continue;
    }
    yield batch;
    batch = [];
    const pieces = part.kind === "zeros" ? zeros(part.length, repo) : (spool?.read(part) ?? []);
    for (const piece of pieces) yield [piece];
  }
  if (batch.length > 0) yield batch;
}

/** A few bytes of a tar can ask for a petabyte, which had better not be written until the disk is full. */
function* zeros(length: number, repo: string): Generator<Buffer> {
  const { bavail, bsize } = statfsSync(repo);
  if (length > bavail * bsize) {
    throw new BootcError("no room left for a sparse file, whose holes are stored as zeros", {
      kind: "space",
    });
  }
  for (let left = length; left > 0; left -= ZEROS.length) {
    yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
  }
}
