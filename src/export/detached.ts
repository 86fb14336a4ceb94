// An encapsulated image with other detached metadata beside its commit; its other layers stay as they are.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { type ImageConfig, labelsOf, parseConfig } from "../image/config.ts";
import { hexOf } from "../image/digest.ts";
import { type ImageLayer, splitLayers } from "../image/layer-kinds.ts";
import { type ImageManifest, parseImageManifest } from "../image/manifest.ts";
import { openLayerBlob } from "../pull/import/blob.ts";
import type { LayerEntry } from "../pull/store/sink.ts";
import { damagedTar } from "../tar/header.ts";
import { readTar, type TarItem } from "../tar/reader.ts";
import { xattrsOf } from "../tar/xattrs.ts";
import { type Layout, type WrittenLayer, writeImageOf, writeLayers } from "./layout.ts";

export interface DetachedChange {
  /** The manifest of the image in the layout, as it was copied there. */
  readonly manifest: string;
  /** The new metadata, `a{sv}`; undefined for none. */
  readonly metadata: Buffer | undefined;
}

/** Rewrites the image in the layout; the digest of its new manifest. */
export async function replaceDetached(
  layout: Layout,
  { manifest: text, metadata }: DetachedChange,
): Promise<string> {
  const manifest = parseImageManifest(text);
  const config = parseConfig(await readFile(blobIn(layout, manifest.config.digest), "utf8"));
  const [first] = splitLayers(manifest, config);
  if (first === undefined || first.kind !== "commit") {
    throw new BootcError("the image does not begin with the layer of an ostree commit", {
      kind: "unsupported",
    });
  }
  const blob = openLayerBlob(blobIn(layout, first.digest), first);
  const items = readTar(blob.tar, { needsEndMarker: false });
  const [written] = await writeLayers(layout, [{ entries: () => withMetadata(items, metadata) }]);
  if (written === undefined) throw new Error("unreachable: no layer was written");
  return await writeChanged(layout, { manifest, config, first, written });
}

function blobIn({ dir }: Layout, digest: string): string {
  return join(dir, "blobs/sha256", hexOf(digest));
}

const COMMIT =
  /^(?:\.\/)?(sysroot\/ostree\/repo\/objects\/[0-9a-f]{2}\/[0-9a-f]{62})\.commit(meta)?$/;

async function* withMetadata(
  items: AsyncIterable<TarItem>,
  metadata: Buffer | undefined,
): AsyncGenerator<LayerEntry> {
  for await (const item of items) {
    const [, object, isDetached] = COMMIT.exec(item.entry.path) ?? [];
    if (isDetached !== undefined) continue;
    yield entryAsRead(item);
    if (object === undefined || metadata === undefined) continue;
    yield {
      ...{ type: "file", path: `${object}.commitmeta`, uid: 0, gid: 0, mode: 0o644, xattrs: [] },
      ...{ sizeBytes: metadata.length, linkTarget: "", content: [metadata] },
    };
  }
}

function entryAsRead({ entry, content, isSparse }: TarItem): LayerEntry {
  const { type, path, uid, gid, mode, sizeBytes, linkPath } = entry;
  if (type === "special" || isSparse) {
    throw damagedTar(`\`${path}\`, which does not belong in the layer of a commit`);
  }
  return {
    ...{ type, path: path.replace(/(?<=.)\/$/, ""), uid, gid, mode, xattrs: xattrsOf(entry) },
    ...{ sizeBytes, linkTarget: linkPath, content },
  };
}

interface ChangedImage {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly first: ImageLayer;
  readonly written: WrittenLayer;
}

/** An image of one layer names it as the last of the commit. */
async function writeChanged(
  layout: Layout,
  { manifest, config, first, written }: ChangedImage,
): Promise<string> {
  const renamed = <T extends Readonly<Record<string, string>>>(labels: T): T =>
    labels["ostree.final-diffid"] === first.diffId
      ? { ...labels, "ostree.final-diffid": written.diffId }
      : labels;
  const { annotations, layers, config: _, ...rest } = manifest;
  const [, ...diffIds] = config.rootfs.diff_ids;
  const [before, ...others] = layers;
  const changed = {
    ...config,
    config: { ...config.config, Labels: renamed(labelsOf(config)) },
    rootfs: { ...config.rootfs, diff_ids: [written.diffId, ...diffIds] },
  };
  const kept = before?.annotations;
  return await writeImageOf(layout, changed, {
    ...rest,
    ...(annotations && { annotations: renamed(annotations) }),
    layers: [{ ...written.descriptor, ...(kept && { annotations: kept }) }, ...others],
  });
}
