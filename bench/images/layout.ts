// Writes images into an OCI layout; images that share a layer share its blob.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface NewImage {
  readonly name: string;
  /** Uncompressed layers, lowest first; each is compressed before the next one is asked for. */
  readonly tars: Iterable<Buffer>;
  /** The labels, which may depend on the layers. */
  readonly labels: (diffIds: readonly string[]) => Readonly<Record<string, string>>;
}

/** What a program has to know about an image of a layout in order to pull and to check it. */
export interface LayoutImage {
  readonly manifestDigest: string;
  readonly layerDigests: readonly string[];
}

export interface LayoutWriter {
  add(image: NewImage): Promise<void>;
}

const CREATED = "2026-01-01T00:00:00Z";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const REF_NAME = "org.opencontainers.image.ref.name";

/** Starts an OCI layout at `folder`, which must not exist. */
export async function createLayout(folder: string): Promise<LayoutWriter> {
  await mkdir(join(folder, "blobs", "sha256"), { recursive: true });
  await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const layers = new Map<string, Descriptor>();
  const manifests: Descriptor[] = [];
  return {
    async add({ name, tars, labels }) {
      const diffIds: string[] = [];
      for (const tar of tars) {
        const diffId = digestOf(tar);
        diffIds.push(diffId);
        // Container builders use level 6.
        const blob = layers.has(diffId) ? undefined : gzipSync(tar, { level: 6 });
        if (blob !== undefined) layers.set(diffId, await writeBlob(folder, blob, LAYER));
      }
      const config = await writeJson(folder, "application/vnd.oci.image.config.v1+json", {
        created: CREATED,
        architecture: "amd64",
        os: "linux",
        config: { Labels: { "containers.bootc": "1", ...labels(diffIds) } },
        rootfs: { type: "layers", diff_ids: diffIds },
        // Optional, but other programs refuse an image without it.
        history: diffIds.map(() => ({ created: CREATED, created_by: "bench" })),
      });
      const manifest = await writeJson(folder, MANIFEST, {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config,
        layers: diffIds.map((diffId) => layers.get(diffId)),
      });
      manifests.push({ ...manifest, annotations: { [REF_NAME]: name } });
      await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    },
  };
}

/** Reads what the layout at `folder` has under `name`. */
export async function readLayoutImage(folder: string, name: string): Promise<LayoutImage> {
  const index = await readJson<{ manifests: readonly Descriptor[] }>(join(folder, "index.json"));
  const found = index.manifests.find((it) => it.annotations?.[REF_NAME] === name);
  if (found === undefined) throw new Error(`unreachable: ${folder} has no image \`${name}\``);
  const manifest = await readJson<{ layers: readonly Descriptor[] }>(
    blobPath(folder, found.digest),
  );
  return {
    manifestDigest: found.digest,
    layerDigests: manifest.layers.map((layer) => layer.digest),
  };
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, "utf8")) as T;
}

async function writeJson(folder: string, mediaType: string, value: unknown): Promise<Descriptor> {
  return await writeBlob(folder, Buffer.from(JSON.stringify(value)), mediaType);
}

async function writeBlob(folder: string, bytes: Buffer, mediaType: string): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const path = blobPath(folder, digest);
  if (!existsSync(path)) await writeFile(path, bytes);
  return { mediaType, digest, size: bytes.length };
}

function blobPath(folder: string, digest: string): string {
  return join(folder, "blobs", "sha256", digest.slice("sha256:".length));
}
