// What an image consists of. Formats: OCI image manifest and index, Docker schema 2.
import { BootcError } from "../errors.ts";
import {
  isObject,
  type JsonObject,
  malformed,
  parseJsonObject,
  requireArray,
  requireObject,
  requireString,
  requireStrings,
} from "../format/json.ts";
import { requireDigest } from "./digest.ts";

/** Points to a blob. The document's other fields are kept; they just have no type here. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>> | null;
}

export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly config: Descriptor;
  /** From the base upwards. */
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>> | null;
}

export interface Platform {
  readonly os: string;
  /** OCI's name of the architecture: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly variant?: string;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

/** One image for several platforms. */
export interface ImageIndex {
  readonly manifests: readonly IndexEntry[];
}

export type Manifest =
  | { readonly kind: "image"; readonly manifest: ImageManifest }
  | { readonly kind: "index"; readonly index: ImageIndex };

/** No builder makes this many layers. The limit exists because each layer costs a ref and memory. */
const LAYERS_MAX = 2048;

const OCI_TYPES: Readonly<Record<string, string>> = {
  "application/vnd.docker.distribution.manifest.v2+json":
    "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
  "application/vnd.docker.image.rootfs.diff.tar.gzip":
    "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd":
    "application/vnd.oci.image.layer.v1.tar+zstd",
};

/** Parses what a registry serves for a tag, and detects its format. */
export function parseManifest(text: string): Manifest {
  const document = parseJsonObject("the manifest", text);
  if (document.schemaVersion === 1) {
    throw new BootcError("the image has a Docker schema 1 manifest, which is not supported", {
      kind: "unsupported",
      hint: "push it again with a current tool",
    });
  }
  if (document.schemaVersion !== 2) throw malformed("the manifest", "schemaVersion is not 2");
  if (document.manifests !== undefined && document.layers !== undefined) {
    throw malformed("the manifest", "it is both an index and an image");
  }
  if (document.manifests !== undefined) return { kind: "index", index: requireIndex(document) };
  return { kind: "image", manifest: requireImageManifest(document) };
}

/** Parses the manifest of a single image; an index is an error. */
export function parseImageManifest(text: string): ImageManifest {
  const parsed = parseManifest(text);
  if (parsed.kind === "image") return parsed.manifest;
  throw malformed("the manifest", "it is an index where an image was expected");
}

/** Converts a Docker manifest to the equivalent OCI manifest, the form in which we store manifests. */
export function toOciManifest(manifest: ImageManifest): ImageManifest {
  return {
    ...manifest,
    ...(manifest.mediaType === undefined ? {} : { mediaType: ociType(manifest.mediaType) }),
    config: { ...manifest.config, mediaType: ociType(manifest.config.mediaType) },
    layers: manifest.layers.map((it) => ({ ...it, mediaType: ociType(it.mediaType) })),
  };
}

/** The entry of `index` for `platform`: of several, the one with the same variant, else the first. */
export function requirePlatform(index: ImageIndex, platform: Platform): IndexEntry {
  const matching = index.manifests.filter(
    (it) => it.platform?.os === platform.os && it.platform.architecture === platform.architecture,
  );
  const exact = matching.find((it) => it.platform?.variant === platform.variant);
  const found = exact ?? matching[0];
  if (found !== undefined) return found;
  const offered = index.manifests.flatMap(({ platform: it }) =>
    it === undefined ? [] : [`${it.os}/${it.architecture}`],
  );
  throw new BootcError(
    `the image is not offered for ${platform.os}/${platform.architecture}, ` +
      `only for ${[...new Set(offered)].join(", ") || "unnamed platforms"}`,
    { kind: "unsupported" },
  );
}

function ociType(mediaType: string): string {
  return OCI_TYPES[mediaType] ?? mediaType;
}

function requireIndex(document: JsonObject): ImageIndex {
  const entries = requireArray(document.manifests, "the image index", "manifests");
  return {
    manifests: entries.map((it, i) => {
      const descriptor = requireDescriptor(it, "the image index", `manifests[${i}]`);
      const { platform, ...rest } = descriptor as Descriptor & { readonly platform?: unknown };
      return isObject(platform) ? { ...rest, platform: requirePlatformOf(platform) } : rest;
    }),
  };
}

function requirePlatformOf({ os, architecture, variant }: JsonObject): Platform {
  return {
    os: requireString(os, "the image index", "platform.os"),
    architecture: requireString(architecture, "the image index", "platform.architecture"),
    ...(typeof variant === "string" && variant !== "" ? { variant } : {}),
  };
}

function requireImageManifest(document: JsonObject): ImageManifest {
  const what = "the manifest";
  const layers = requireArray(document.layers, what, "layers");
  if (layers.length === 0) throw malformed(what, "it has no layers");
  if (layers.length > LAYERS_MAX) throw malformed(what, `it has more than ${LAYERS_MAX} layers`);
  for (const [i, layer] of layers.entries()) requireDescriptor(layer, what, `layers[${i}]`);
  requireDescriptor(document.config, what, "config");
  requireStrings(document.annotations, what, "annotations");
  if (document.mediaType !== undefined) requireString(document.mediaType, what, "mediaType");
  return document as unknown as ImageManifest;
}

function requireDescriptor(value: unknown, what: string, where: string): Descriptor {
  const descriptor = requireObject(value, what, where);
  requireString(descriptor.mediaType, what, `${where}.mediaType`);
  requireDigest(descriptor.digest, what);
  if (!Number.isSafeInteger(descriptor.size) || (descriptor.size as number) < 0) {
    throw malformed(what, `${where}.size is not a number of bytes`);
  }
  requireStrings(descriptor.annotations, what, `${where}.annotations`);
  return descriptor as unknown as Descriptor;
}
