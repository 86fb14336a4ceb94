// An OCI layout that is written: blobs by their digests, and one image.
import { createHash } from "node:crypto";
import { open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatCanonicalJson } from "../format/canonical-json.ts";
import type { ImageConfig } from "../image/config.ts";
import type { Descriptor, ImageManifest } from "../image/manifest.ts";
import { LAYOUT_IMAGE } from "../programs/skopeo/skopeo.ts";
import { tarOf } from "../pull/store/by-ostree.ts";
import type { LayerEntries } from "../pull/store/sink.ts";
import { makeDirectories } from "../system/files.ts";
import { gzipped } from "./gzip.ts";

/** `fast`: little compression. `none`: for a storage that unpacks the layers anyway. */
export type LayerCompression = "none" | "fast" | "good";

export interface Layout {
  readonly dir: string;
  readonly compression: LayerCompression;
  readonly signal: AbortSignal;
}

export async function createLayout(layout: Layout): Promise<void> {
  await makeDirectories(join(layout.dir, BLOBS));
  await writeFile(join(layout.dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

/** A layer of which the blob is in the layout. */
export interface WrittenLayer {
  readonly descriptor: Descriptor;
  /** Of the tar. */
  readonly diffId: string;
}

const BLOBS = "blobs/sha256";
const OCI = "application/vnd.oci.image";
const LEVELS = { fast: 1, good: 6 } as const;

/** Writes a layer under the name of its digest. `name` tells it from layers written at the same time. */
async function writeLayer(
  layout: Layout,
  name: string,
  entries: LayerEntries,
): Promise<WrittenLayer> {
  const { dir, compression, signal } = layout;
  const diffHash = createHash("sha256");
  const tar = noticed(tarOf(entries), (piece) => diffHash.update(piece), signal);
  if (compression === "none") {
    const blob = await writeBlob(dir, name, tar);
    return { descriptor: { mediaType: `${OCI}.layer.v1.tar`, ...blob }, diffId: blob.digest };
  }
  const blob = await writeBlob(dir, name, one(gzipped(tar, LEVELS[compression])));
  const descriptor = { mediaType: `${OCI}.layer.v1.tar+gzip`, ...blob };
  return { descriptor, diffId: `sha256:${diffHash.digest("hex")}` };
}

/** Writes a whole tar as a layer, as it is. */
export async function writeTarLayer(
  { dir }: Layout,
  tar: AsyncIterable<Uint8Array>,
): Promise<WrittenLayer> {
  const blob = await writeBlob(dir, "layer", one(tar));
  return { descriptor: { mediaType: `${OCI}.layer.v1.tar`, ...blob }, diffId: blob.digest };
}

async function* noticed(
  source: AsyncIterable<readonly Uint8Array[]>,
  notice: (piece: Uint8Array) => void,
  signal: AbortSignal,
): AsyncGenerator<readonly Uint8Array[]> {
  for await (const pieces of source) {
    signal.throwIfAborted();
    for (const piece of pieces) notice(piece);
    yield pieces;
  }
}

async function* one(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Uint8Array[]> {
  for await (const piece of source) yield [piece];
}

async function writeBlob(
  dir: string,
  name: string,
  source: AsyncIterable<readonly Uint8Array[]>,
): Promise<{ readonly digest: string; readonly size: number }> {
  const part = join(dir, `${name}.part`);
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(part, "wx", 0o644);
  try {
    for await (const pieces of source) {
      for (const piece of pieces) {
        hash.update(piece);
        size += piece.length;
      }
      await file.writeFile([...pieces]);
    }
  } finally {
    await file.close();
  }
  const hex = hash.digest("hex");
  await rename(part, join(dir, BLOBS, hex));
  return { digest: `sha256:${hex}`, size };
}

/** A layer to be written. */
export interface LayerPlan {
  readonly entries: () => LayerEntries;
}

/** How many layers are read at the same time; compression keeps the threads busy by itself. */
const LAYERS_AT_ONCE = 3;

/** Writes several layers at once. After a failure no other is begun, and none goes on when this throws. */
export async function writeLayers(
  layout: Layout,
  plans: readonly LayerPlan[],
): Promise<readonly WrittenLayer[]> {
  const written: WrittenLayer[] = [];
  const stop = new AbortController();
  const signal = AbortSignal.any([layout.signal, stop.signal]);
  let next = 0;
  const work = async () => {
    try {
      for (let i = next++; i < plans.length && !signal.aborted; i = next++) {
        const plan = plans[i];
        if (plan === undefined) throw new Error("unreachable: beyond the last layer");
        written[i] = await writeLayer({ ...layout, signal }, `layer-${i}`, plan.entries());
      }
    } catch (error) {
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: LAYERS_AT_ONCE }, work));
  signal.throwIfAborted();
  return written;
}

/** Completes the layout with its one image; the digest of the manifest. */
export async function writeImageOf(
  { dir }: Layout,
  config: ImageConfig,
  manifest: Omit<ImageManifest, "config">,
): Promise<string> {
  const configBlob = await writeDocument(dir, formatCanonicalJson(config));
  const document: ImageManifest = {
    ...manifest,
    config: { mediaType: `${OCI}.config.v1+json`, ...configBlob },
  };
  const mediaType = `${OCI}.manifest.v1+json`;
  const blob = await writeDocument(dir, formatCanonicalJson({ ...document, mediaType }));
  const annotations = { "org.opencontainers.image.ref.name": LAYOUT_IMAGE };
  const manifests = [{ mediaType, ...blob, annotations }];
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return blob.digest;
}

async function writeDocument(dir: string, text: string) {
  const bytes = Buffer.from(text);
  const hex = createHash("sha256").update(bytes).digest("hex");
  await writeFile(join(dir, BLOBS, hex), bytes);
  return { digest: `sha256:${hex}`, size: bytes.length };
}
