// The import stage: a layer blob becomes a commit in one pass; nothing is visible before it is verified.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { BootcError, diskFailure, type ErrorKind, kindOf } from "../../errors.ts";
import type { LayerKind } from "../../image/layer-kinds.ts";
import { rejectLayer } from "../../repository/pending.ts";
import { makeWorkDirectory } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import { damagedTar } from "../../tar/header.ts";
import { readTar, type TarItem } from "../../tar/reader.ts";
import { type BaseSink, createOstreeBase, createOwnBase } from "../store/base.ts";
import type { Batches, LayerSlot } from "../store/batches.ts";
import { createOstreeSink } from "../store/by-ostree.ts";
import { createOwnSink } from "../store/by-us.ts";
import type { LabelOf, LayerSink } from "../store/sink.ts";
import { type LayerBlob, openLayerBlob } from "./blob.ts";
import { derivedEntries, newDerivedLayer } from "./derived.ts";
import { newObjectSet, objectEntries, objectSetCommit, type TakeMetadata } from "./object-set.ts";
import type { LayerFilter } from "./placement.ts";
import { createSpool } from "./spool.ts";

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
  /** For `derived`: the same policy's labels, if they can be looked up; otherwise ostree writes the layer. */
  readonly labelOf?: LabelOf | undefined;
  /** For `derived`: the value of `ostree.importer.version`. */
  readonly importerVersion: string;
  /** For `commit`: what the image's `ostree.commit` label promises; compared when given. */
  readonly baseCommit?: string | undefined;
  /** When given, layers are written by ourselves where possible. */
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

/**
 * ostree's own refusals of a tar, and what disks refuse. The latter is what a line ends with: the rest of it
 * may be a name that the image has chosen.
 */
function kindOfFailure(cause: unknown): { kind?: ErrorKind; hint?: string } {
  if (kindOf(cause) !== "failed" || !(cause instanceof BootcError)) return {};
  const said = cause.message.replace(/^`[^`]*`/, "");
  const reasons = said.split("\n").map((line) => line.slice(line.lastIndexOf(": ") + 1));
  const disk = reasons.map(diskFailure).find((it) => it !== undefined);
  if (disk !== undefined) return disk;
  if (said.includes("min-free-space")) return { kind: "space" };
  // ostree has lost the error by which it could not end a transaction, which is not about the tar.
  if (said.includes("assertion failed: (success || error)")) return {};
  const isRefusal =
    /ended by SIGABRT|Invalid argument|not supported|too long|[Tt]ar|archive|[Xx]attr|hardlink|Unsupported/;
  return isRefusal.test(said) ? { kind: "integrity" } : {};
}

async function importVerified(ctx: Context, request: LayerImport): Promise<ImportedLayer> {
  const { batches, layerDigest } = request;
  // A stream cannot be read again when it turns out to be nothing for us.
  if (batches !== undefined && typeof request.blob === "string" && canBeWritten(request)) {
    const layer = await inSlot(batches, (slot) =>
      importInto(request, {
        layer: createOwnSink(ctx, slot, layerDigest),
        base: createOwnBase(slot, layerDigest),
      }),
    );
    if (layer !== undefined) return layer;
  }
  const layer = await importByOstree(ctx, request);
  if (layer === undefined) throw new Error("unreachable: a layer that ostree cannot store");
  return layer;
}

/** Labels that only ostree can look up are set by it. */
function canBeWritten({ selinuxPolicyDir, labelOf }: LayerImport): boolean {
  return selinuxPolicyDir === undefined || labelOf !== undefined;
}

async function importByOstree(
  ctx: Context,
  request: LayerImport,
): Promise<ImportedLayer | undefined> {
  const base = request.kind === "commit" ? await createOstreeBase(ctx, request) : undefined;
  try {
    return await importInto(request, { layer: createOstreeSink(ctx, request), base });
  } finally {
    base?.end();
  }
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

interface LayerSinks {
  readonly layer: LayerSink;
  /** For kind `commit`. */
  readonly base: BaseSink | undefined;
}

async function importInto(
  request: LayerImport,
  sinks: LayerSinks,
): Promise<ImportedLayer | undefined> {
  const { layer: sink } = sinks;
  switch (request.kind) {
    case "derived":
      return await importDerived(request, sink);
    case "chunk": {
      const layer = await importObjects(request, sink, undefined);
      return layer && { ...layer, ...(await sink.accept(layer.commit)) };
    }
    case "commit":
      return await importCommit(request, sinks);
  }
}

async function importDerived(
  request: LayerImport,
  sink: LayerSink,
): Promise<ImportedLayer | undefined> {
  const { repo, filter, selinuxPolicyDir, labelOf, importerVersion } = request;
  if (filter === undefined) throw new Error("unreachable: a derived layer without a filter");
  const work = await makeWorkDirectory(repo);
  const spool = createSpool(join(work, "spool"));
  try {
    const isLabelled = selinuxPolicyDir !== undefined || labelOf !== undefined;
    const layer = newDerivedLayer({ repo, filter, isLabelled, spool });
    const blob = openLayerBlob(request.blob, request);
    const entries = derivedEntries(layer, itemsOf(blob));
    const metadata = { "ostree.importer.version": importerVersion };
    const commit = await sink.commit(entries, { selinuxPolicyDir, labelOf, metadata });
    if (commit === undefined) return undefined;
    const { durable } = await sink.accept(commit);
    const specialFiles = layer.special.count();
    return { commit, durable, diffId: blob.diffId(), filtered: layer.filtered, specialFiles };
  } finally {
    spool.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** Content objects as in a chunk, the rest beside them; then the base commit is whole. */
async function importCommit(
  request: LayerImport,
  { layer: sink, base }: LayerSinks,
): Promise<ImportedLayer | undefined> {
  const { baseCommit } = request;
  if (base === undefined) throw new Error("unreachable: a commit layer without a place for it");
  let commit = "";
  const layer = await importObjects(request, sink, (checksum, kind, bytes) => {
    if (kind === "commit" && commit !== "") throw damagedTar("two commits");
    if (kind === "commit") commit = checksum;
    if (kind === "commitmeta" && checksum !== commit) throw damagedTar("metadata of no commit");
    base.add(checksum, kind, bytes);
  });
  if (layer === undefined) return undefined;
  if (commit === "") throw damagedTar("no commit");
  if (baseCommit !== undefined && commit !== baseCommit) {
    throw damagedTar(`the commit ${commit}, not ${baseCommit} as the image's label says`);
  }
  return { ...layer, commit, ...(await base.accept(commit)) };
}

/** The content objects of a chunk or commit layer as one object-set commit, which is not accepted yet. */
async function importObjects(
  request: LayerImport,
  sink: LayerSink,
  takeMetadata: TakeMetadata | undefined,
): Promise<Omit<ImportedLayer, "durable"> | undefined> {
  const objects = newObjectSet({ repo: request.repo, takeMetadata });
  const blob = openLayerBlob(request.blob, request);
  const entries = objectEntries(objects, itemsOf(blob));
  const commit = await sink.commit(entries, { metadata: {}, timestampEpoch: 0 });
  if (commit === undefined) return undefined;
  if (commit !== objectSetCommit(objects.names)) {
    throw damagedTar("an object whose content is not what its name says");
  }
  return { commit, diffId: blob.diffId(), filtered: new Map(), specialFiles: 0 };
}

/** Without an end marker, only a diff-id that was compared by then proves that nothing is missing. */
function itemsOf({ tar, isProven }: LayerBlob): AsyncIterable<TarItem> {
  return readTar(tar, { needsEndMarker: !isProven });
}
