// The inputs: damaged layers and documents in otherwise good images, each given by a seed, a kind and a number.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { createRandom } from "../repo/images/random.ts";
import { formatTar, writeBlob } from "../repo/tiny-image.ts";
import type { EncapsulatedSeed } from "./encapsulated.ts";
import { mutateDocument } from "./mutate-json.ts";
import { type Mutant, mutateBytes, mutateTar, pick, type Random } from "./mutate-tar.ts";
import { baseTar, seedTars } from "./seed-tars.ts";

export type Kind = "tar" | "document";

export interface Input {
  /** `tar-17`; together with the seed it reproduces the input. */
  readonly name: string;
  /** The name of the original archive or document. */
  readonly of: string;
  /** What was done to it. */
  readonly done: readonly string[];
  /** Writes its image to an empty directory; returns the pull's arguments and environment. */
  write(dir: string): Promise<PullOfInput>;
}

export interface PullOfInput {
  readonly reference: string;
  /** The name under which it is stored. */
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
}

export function makeInput(
  seed: string,
  { kind, number }: { readonly kind: Kind; readonly number: number },
  base: EncapsulatedSeed,
): Input {
  const name = `${kind}-${number}`;
  const hash = createHash("sha256").update(`${seed}/${name}`).digest();
  const random = createRandom(hash.readUInt32LE(0));
  const made = kind === "tar" ? tarInput(base, random) : documentInput(base, random);
  return { name, ...made };
}

/** The undamaged image, which a repository must accept after any other. */
export function goodInput(base: EncapsulatedSeed): Input {
  const image = encapsulatedImage(base);
  return { name: "good", of: "image", done: [], write: (dir) => writeImage(dir, image) };
}

const SEEDS = seedTars();

type Made = Omit<Input, "name">;

interface Layer {
  readonly blob: Buffer;
  readonly mediaType: string;
  readonly diffId: string;
}

interface Image {
  readonly layers: readonly Layer[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Documents to use instead of those that follow from an image's layers, and how to damage their text. */
interface Change {
  readonly document: DocumentName;
  readonly mutate: (document: unknown) => Buffer;
}

const DOCUMENTS = ["manifest", "config", "index", "layout", "policy"] as const;
type DocumentName = (typeof DOCUMENTS)[number];

const TYPES = {
  plain: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;

const COMPRESSED = {
  plain: (tar: Buffer) => tar,
  gzip: (tar: Buffer) => gzipSync(tar, { level: 1 }),
  zstd: (tar: Buffer) => zstdCompressSync(tar),
} as const;

function tarInput(base: EncapsulatedSeed, random: Random): Made {
  const seed = SEEDS[random(SEEDS.length + 3)];
  if (seed !== undefined) {
    const { layer, done } = damagedLayer(seed.tar, random);
    const above = random(4) === 0 ? [layerOf(formatTar({ "/usr/lib/above": "above" }))] : [];
    const image = { labels: {}, layers: [layerOf(baseTar()), layer, ...above] };
    return { of: seed.name, done, write: (dir) => writeImage(dir, image) };
  }
  const at = random(base.tars.length);
  const { layer, done } = damagedLayer(base.tars[at] ?? Buffer.alloc(0), random);
  const whole = encapsulatedImage(base);
  const layers = whole.layers.map((it, i) => (i === at ? layer : it));
  // The last layer of the commit is found by its digest.
  const labels = { ...whole.labels, "ostree.final-diffid": layers.at(-1)?.diffId ?? "" };
  const of = at === 0 ? "encapsulated-commit" : "encapsulated-chunk";
  return { of, done, write: (dir) => writeImage(dir, { layers, labels }) };
}

/** Damages the archive, or its stored form, or both. */
function damagedLayer(tar: Buffer, random: Random) {
  const format = pick(["plain", "gzip", "gzip", "zstd"] as const, random);
  const isOfBlob = format !== "plain" && random(6) === 0;
  const inside: Mutant =
    isOfBlob && random(2) === 0 ? { bytes: tar, done: [] } : mutateTar(tar, random);
  const whole = COMPRESSED[format](inside.bytes);
  const blob: Mutant = isOfBlob ? mutateBytes(whole, random) : { bytes: whole, done: [] };
  const type = random(20) === 0 ? pick(Object.values(TYPES), random) : TYPES[format];
  const layer = { blob: blob.bytes, mediaType: type, diffId: digestOf(inside.bytes) };
  return { layer, done: [...inside.done, `as ${format}`, ...blob.done] };
}

function documentInput(base: EncapsulatedSeed, random: Random): Made {
  const image = random(3) === 0 ? encapsulatedImage(base) : plainImage();
  const document = pick([...DOCUMENTS, "manifest", "config", "config"] as const, random);
  const isSigned = document === "policy" && random(2) === 0;
  let done: readonly string[] = [];
  const mutate = (it: unknown) => {
    const mutant = mutateDocument(it, random);
    done = mutant.done;
    return mutant.bytes;
  };
  // Made at once, so that the damage is known before anything is written.
  const documents = formatDocuments(image, { document, mutate });
  return { of: document, done, write: (dir) => writeDocuments(dir, documents, { isSigned }) };
}

function plainImage(): Image {
  return {
    labels: {
      "containers.bootc": "1",
      "ostree.bootable": "true",
      "org.opencontainers.image.version": "42",
    },
    layers: [layerOf(baseTar()), layerOf(formatTar({ "/usr/lib/second": "second" }))],
  };
}

function encapsulatedImage({ commit, tars }: EncapsulatedSeed): Image {
  const layers = [...tars.map(layerOf), layerOf(formatTar({ "/usr/lib/derived": "derived" }))];
  const labels = {
    "ostree.commit": commit,
    "ostree.final-diffid": layers.at(-2)?.diffId ?? "",
    "ostree.linux": "6.1.0",
    "rpmostree.inputhash": "0".repeat(64),
  };
  return { layers, labels };
}

function layerOf(tar: Buffer): Layer {
  return { blob: COMPRESSED.gzip(tar), mediaType: TYPES.gzip, diffId: digestOf(tar) };
}

interface Documents {
  readonly blobs: readonly Buffer[];
  readonly layout: Buffer;
  readonly policy: Buffer | undefined;
}

const OCI = "application/vnd.oci.image";
const TAG = { "org.opencontainers.image.ref.name": "it" };

/** The documents of an image, with the damaged one, and with correct digests all the way up. */
function formatDocuments({ layers, labels }: Image, change?: Change): Documents {
  const text = (name: DocumentName, document: unknown) =>
    change?.document === name ? change.mutate(document) : Buffer.from(JSON.stringify(document));
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const config = text("config", {
    architecture,
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: { Labels: labels, Env: ["PATH=/usr/bin"], Cmd: null },
    rootfs: { type: "layers", diff_ids: layers.map((it) => it.diffId) },
    history: layers.map((_, i) => ({ created_by: `layer ${i}`, created: "2026-01-01T00:00:00Z" })),
  });
  const manifest = text("manifest", {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: descriptor(`${OCI}.config.v1+json`, config),
    layers: layers.map((it) => descriptor(it.mediaType, it.blob)),
    annotations: { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" },
  });
  const image = descriptor(`${OCI}.manifest.v1+json`, manifest);
  const index = text("index", {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [
      { ...image, platform: { os: "linux", architecture: "s390x" } },
      { ...image, platform: { os: "linux", architecture, variant: "v8" } },
    ],
  });
  const hasIndex = change?.document === "index";
  const top = hasIndex ? descriptor(`${OCI}.index.v1+json`, index) : image;
  return {
    blobs: [config, manifest, ...(hasIndex ? [index] : []), ...layers.map((it) => it.blob)],
    layout: text("layout", { schemaVersion: 2, manifests: [{ ...top, annotations: TAG }] }),
    policy: change?.document === "policy" ? text("policy", POLICY) : undefined,
  };
}

const POLICY = {
  default: [{ type: "reject" }],
  transports: {
    docker: { "registry.example.com": [{ type: "insecureAcceptAnything" }] },
    oci: { "": [{ type: "insecureAcceptAnything" }] },
  },
};

function descriptor(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function writeImage(dir: string, image: Image): Promise<PullOfInput> {
  return await writeDocuments(dir, formatDocuments(image));
}

async function writeDocuments(
  dir: string,
  { blobs, layout, policy }: Documents,
  { isSigned = false }: { readonly isSigned?: boolean } = {},
): Promise<PullOfInput> {
  await mkdir(dir, { recursive: true });
  for (const it of blobs) await writeBlob(dir, "", it);
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(dir, "index.json"), layout);
  const path = join(dir, "policy.json");
  if (policy !== undefined) await writeFile(path, policy);
  const image = `oci:${dir}:it`;
  return {
    image,
    reference: `${isSigned ? "ostree-image-signed" : "ostree-unverified-image"}:${image}`,
    env: policy === undefined ? {} : { CONTAINERS_POLICY_JSON: path },
  };
}
