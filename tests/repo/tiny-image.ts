// Small images for tests of fetching: OCI layouts with derived layers of given files, made in this process.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

export interface TinyImage {
  /** One entry per layer: `/usr/…` paths with contents, or a whole tar. */
  readonly layers: readonly (Readonly<Record<string, string | Uint8Array>> | Buffer)[];
  /** Labels besides `containers.bootc`; null for no labels at all. */
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly architecture?: string;
  readonly created?: string;
  /** The level of compression of layers; 1 by default. */
  readonly level?: number;
  /** Turns a layer's tar into its blob, instead of gzip, with the suffix of its media type. */
  readonly pack?: (tar: Buffer) => {
    readonly blob: Uint8Array;
    readonly suffix: "" | "+gzip" | "+zstd";
  };
  /** Where the manifest says that layers are stored outside the registry. */
  readonly urls?: readonly string[];
  /** The size that the manifest claims for each layer, instead of the real one. */
  readonly claimedBytes?: number;
}

export interface MadeImage {
  readonly manifestDigest: string;
  readonly layerDigests: readonly string[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Makes `oci:DIR:TAG`. */
export async function makeTinyImage(
  dir: string,
  tag: string,
  image: TinyImage,
): Promise<MadeImage> {
  const manifest = await writeImage(dir, image);
  await writeLayout(dir, [{ ...manifest.descriptor, annotations: refName(tag) }]);
  return { manifestDigest: manifest.descriptor.digest, layerDigests: manifest.layerDigests };
}

/** Makes `oci:DIR:TAG`, an index with one image for each architecture. */
export async function makeTinyIndex(
  dir: string,
  tag: string,
  images: readonly TinyImage[],
): Promise<{ readonly indexDigest: string; readonly images: readonly MadeImage[] }> {
  const made = [];
  for (const image of images) made.push({ image, ...(await writeImage(dir, image)) });
  const index = await writeBlob(
    dir,
    INDEX,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: made.map(({ image, descriptor }) => ({
        ...descriptor,
        platform: { os: "linux", architecture: image.architecture ?? "amd64" },
      })),
    }),
  );
  await writeLayout(dir, [{ ...index, annotations: refName(tag) }]);
  return {
    indexDigest: index.digest,
    images: made.map(({ descriptor, layerDigests }) => ({
      manifestDigest: descriptor.digest,
      layerDigests,
    })),
  };
}

async function writeImage(dir: string, image: TinyImage) {
  const tars = image.layers.map((it) => (Buffer.isBuffer(it) ? it : formatTar(it)));
  const config = {
    architecture: image.architecture ?? "amd64",
    os: "linux",
    created: image.created ?? "2026-01-01T00:00:00Z",
    config: { Labels: image.labels === null ? null : { "containers.bootc": "1", ...image.labels } },
    rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
    history: tars.map((_, i) => ({ created_by: `layer ${i}` })),
  };
  const layers: Descriptor[] = [];
  for (const tar of tars) {
    const { blob, suffix } = image.pack?.(tar) ?? {
      blob: gzipSync(tar, { level: image.level ?? 1 }),
      suffix: "+gzip",
    };
    const layer = await writeBlob(dir, `application/vnd.oci.image.layer.v1.tar${suffix}`, blob);
    layers.push({
      ...layer,
      size: image.claimedBytes ?? layer.size,
      ...(image.urls && { urls: image.urls }),
    });
  }
  const mediaType = "application/vnd.oci.image.config.v1+json";
  const descriptor = await writeBlob(
    dir,
    MANIFEST,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: await writeBlob(dir, mediaType, JSON.stringify(config)),
      layers,
    }),
  );
  return { descriptor, layerDigests: layers.map((it) => it.digest) };
}

async function writeLayout(dir: string, manifests: readonly object[]): Promise<void> {
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

function refName(tag: string) {
  return { "org.opencontainers.image.ref.name": tag };
}

export async function writeBlob(
  dir: string,
  mediaType: string,
  data: string | Uint8Array,
): Promise<Descriptor> {
  const bytes = Buffer.from(data);
  const digest = digestOf(bytes);
  await mkdir(join(dir, "blobs/sha256"), { recursive: true });
  await writeFile(join(dir, "blobs/sha256", digest.slice("sha256:".length)), bytes);
  return { mediaType, digest, size: bytes.length };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A ustar archive with root-owned files and their directories. */
export function formatTar(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const directories = new Set(Object.keys(files).flatMap(parentsOf));
  return Buffer.concat([
    ...[...directories]
      .sort()
      .map((it) => tarHeader(`${it}/`, { type: "5", mode: 0o755, size: 0 })),
    ...Object.entries(files).flatMap(([path, content]) => tarFile(path, Buffer.from(content))),
    Buffer.alloc(1024),
  ]);
}

function parentsOf(path: string): readonly string[] {
  const parts = path.replace(/^\//, "").split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

function tarFile(path: string, content: Buffer): readonly Buffer[] {
  const name = path.replace(/^\//, "");
  return [
    tarHeader(name, { type: "0", mode: 0o644, size: content.length }),
    content,
    Buffer.alloc((512 - (content.length % 512)) % 512),
  ];
}

function tarHeader(
  name: string,
  { type, mode, size }: { readonly type: string; readonly mode: number; readonly size: number },
): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, "0");
  header.write(name, 0);
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, it) => total + it, 0);
  header.write(`${octal(sum, 7)}\0 `, 148);
  return header;
}
