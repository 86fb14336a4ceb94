// The role of each layer of an image: the ostree commit, a chunk of its content, or a layer on top.
import { BootcError } from "../errors.ts";
import { malformed } from "../format/json.ts";
import { type ImageConfig, labelsOf } from "./config.ts";
import type { ImageManifest } from "./manifest.ts";

/**
 * `commit` carries the ostree commit of an encapsulated base, `chunk` some of that commit's content,
 * `derived` is an ordinary layer, a file system difference. Without an encapsulated base every layer is
 * derived.
 */
export type LayerKind = "commit" | "chunk" | "derived";

export interface ImageLayer {
  readonly kind: LayerKind;
  /** Digest of the (compressed) blob, from the manifest; refs are named after it. */
  readonly digest: string;
  /** Digest of the uncompressed tar. */
  readonly diffId: string;
  /** Size of the blob. */
  readonly sizeBytes: number;
}

/**
 * The layers of an image, from the base upwards. The label `ostree.final-diffid` names the last layer
 * that belongs to the ostree commit.
 */
export function splitLayers(manifest: ImageManifest, config: ImageConfig): readonly ImageLayer[] {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw malformed(
      "the image",
      `its manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}`,
    );
  }
  const last = finalLayer(config);
  return manifest.layers.map(({ digest, size }, i) => ({
    kind: i > last ? "derived" : i === 0 ? "commit" : "chunk",
    digest,
    diffId: diffIds[i] ?? "",
    sizeBytes: size,
  }));
}

/** The index of the ostree commit's last layer; -1 without an ostree base. */
function finalLayer(config: ImageConfig): number {
  const diffId = labelsOf(config)["ostree.final-diffid"];
  if (diffId === undefined) return -1;
  const index = config.rootfs.diff_ids.indexOf(diffId);
  if (index >= 0) return index;
  throw new BootcError(`no layer has the diff-id \`${diffId}\` that ostree.final-diffid names`, {
    kind: "integrity",
  });
}

/** Maps each diff-id in the stored images to the layer's digest, to find equal layers compressed anew. */
export function indexByDiffId(
  images: readonly { readonly manifest: ImageManifest; readonly config: ImageConfig }[],
): ReadonlyMap<string, string> {
  const pairs = images.flatMap(({ manifest, config }) =>
    manifest.layers.flatMap(({ digest }, i) => {
      const diffId = config.rootfs.diff_ids[i];
      return diffId === undefined ? [] : [[diffId, digest] as const];
    }),
  );
  return new Map(pairs);
}
