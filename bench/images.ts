// Makes images to measure with: a given number of layers, files and bytes, identical on every machine.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ArchiveEntry, formatTar } from "../xtask/archive/archive.ts";
import { makeEncapsulatedBase } from "./encapsulated-base.ts";

/** Only file system differences, or an ostree commit in chunks with such layers on top. */
export type ImageKind = "derived" | "encapsulated";

export interface ImageShape {
  readonly kind: ImageKind;
  readonly layers: number;
  /** Number of files in all layers. */
  readonly files: number;
  /** Uncompressed size of all layers. */
  readonly sizeBytes: number;
  /** The index of a layer whose content differs from that of the same image without this option. */
  readonly changedLayer?: number;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const CREATED = "2026-01-01T00:00:00Z";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Writes the image as an OCI layout at `folder`, unless it is there already. */
export async function writeBenchImage(folder: string, shape: ImageShape): Promise<void> {
  if (existsSync(folder)) return;
  const temp = `${folder}.part`;
  await rm(temp, { recursive: true, force: true });
  await mkdir(join(temp, "blobs", "sha256"), { recursive: true });
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  const { tars, labels } = await makeLayers(shape);
  for (const tar of tars) {
    diffIds.push(digestOf(tar));
    const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
    // Container builders use level 6.
    layers.push(await writeBlob(temp, gzipSync(tar, { level: 6 }), mediaType));
  }
  const config = await writeJson(temp, "application/vnd.oci.image.config.v1+json", {
    created: CREATED,
    architecture: "amd64",
    os: "linux",
    config: { Labels: { "containers.bootc": "1", ...labels } },
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = await writeJson(temp, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config,
    layers,
  });
  await writeFile(join(temp, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(temp, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
  );
  await rename(temp, folder);
}

interface Layers {
  readonly tars: Iterable<Buffer>;
  readonly labels: Readonly<Record<string, string>>;
}

/** An eighth of an encapsulated image's layers are derived, as in the images that people build. */
async function makeLayers(shape: ImageShape): Promise<Layers> {
  const tarOf = (index: number) => formatTar(layerEntries(index, shape), 0);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  if (shape.kind === "derived") {
    return { tars: range(0, shape.layers).values().map(tarOf), labels: {} };
  }
  const inBase = shape.layers - Math.max(1, Math.floor(shape.layers / 8));
  const entries = range(0, inBase).flatMap((it) => layerEntries(it, shape));
  const base = await makeEncapsulatedBase(inCommit(entries), inBase - 1);
  return {
    tars: base.tars.concat(range(inBase, shape.layers).map(tarOf)),
    labels: { "ostree.commit": base.commit, "ostree.final-diffid": digestOf(base.lastTar) },
  };
}

/** The entries as ostree commits have them: a system's default configuration is in /usr/etc. */
function inCommit(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  return entries.map((it) => ({ ...it, path: it.path.replace(/^etc\//, "usr/etc/") }));
}

async function writeJson(folder: string, mediaType: string, value: unknown): Promise<Descriptor> {
  return await writeBlob(folder, Buffer.from(JSON.stringify(value)), mediaType);
}

async function writeBlob(folder: string, bytes: Buffer, mediaType: string): Promise<Descriptor> {
  const digest = digestOf(bytes);
  await writeFile(join(folder, "blobs", "sha256", digest.slice("sha256:".length)), bytes);
  return { mediaType, digest, size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** One layer's share: files of mixed sizes below /usr and a few in /etc, some sixty in each folder. */
function layerEntries(index: number, shape: ImageShape): readonly ArchiveEntry[] {
  const files = Math.ceil(shape.files / shape.layers);
  const isChanged = index === shape.changedLayer;
  const seed = index * 2_654_435_761 + (isChanged ? 97 : 1);
  const sizes = fileSizes(files, shape.sizeBytes / shape.layers, seed);
  const entries = sizes.map((size, i): ArchiveEntry => {
    const top = i % 100 === 99 ? "etc" : "usr/share";
    const path = `${top}/layer-${index}/d${Math.floor(i / 60)}/file-${i}.dat`;
    return { path, content: { kind: "bytes", bytes: fileContent(seed + i, size) } };
  });
  return index === 0 ? [...entries, ...kernelEntries()] : entries;
}

function kernelEntries(): readonly ArchiveEntry[] {
  const folder = "usr/lib/modules/6.0.0-bench";
  return ["vmlinuz", "initramfs.img"].map((name, i) => ({
    path: `${folder}/${name}`,
    content: { kind: "bytes", bytes: fileContent(i + 7, 100_000) },
  }));
}

/** Sizes of many small files and a few large ones, as on a real system, with the sum `total`. */
function fileSizes(count: number, total: number, seed: number): readonly number[] {
  const random = xorshift(seed);
  const weights = Array.from({ length: count }, () => 1 / (0.002 + random() ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((it) => Math.max(1, Math.round((it / sum) * total)));
}

/** Bytes that gzip halves: noise and text in turn. */
function fileContent(seed: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const random = xorshift(seed);
  const text = `record ${seed} of a generated file with some words that come again\n`;
  for (let at = 0; at < size; ) {
    const isNoise = (at >> 8) % 2 === 0;
    const end = Math.min(size, at + 256);
    if (isNoise) for (; at < end; at++) bytes[at] = random() * 256;
    else at += bytes.write(text.repeat(4).slice(0, end - at), at, "latin1");
  }
  return bytes;
}

/** A small reproducible generator of numbers in [0, 1); the seed may be any number. */
function xorshift(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
