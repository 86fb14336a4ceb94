// A stored image as layers of a container again, from the commits that its layers became.
import { BootcError } from "../errors.ts";
import { type ImageConfig, labelsOf } from "../image/config.ts";
import type { Descriptor, ImageManifest } from "../image/manifest.ts";
import { parseDirtree } from "../ostree/dirtree.ts";
import { requireCommit } from "../repository/files.ts";
import { findLayersOf, type PlannedLayer, type StoredImage } from "../repository/images.ts";
import type { NamedLayer } from "../repository/layer-names.ts";
import { derivedLayerEntries } from "./derived-layer.ts";
import {
  createLayout,
  type LayerPlan,
  type Layout,
  type WrittenLayer,
  writeImageOf,
  writeLayers,
} from "./layout.ts";
import {
  type CommitObjects,
  chunkLayerEntries,
  commitLayerEntries,
  readCommitObjects,
} from "./object-layer.ts";
import { readDirtreeBytes } from "./tree.ts";

/**
 * Writes the image into a layout. Its digest is not that of the registry: neither the tars nor their
 * compression come back as they were. The same image gives the same digest. Returns the layers that were
 * written, with the commits they were made of.
 */
export async function exportStoredImage(
  layout: Layout,
  repo: string,
  stored: StoredImage,
): Promise<readonly NamedLayer[]> {
  await createLayout(layout);
  const layers = await findLayersOf(repo, stored);
  const written = await writeLayers(layout, await planLayers(repo, layers));
  const last = layers.findLastIndex((it) => it.kind !== "derived");
  const finalDiffId = written[last]?.diffId;
  const config = exportedConfig(stored.config, written, finalDiffId);
  await writeImageOf(layout, config, {
    ...withoutConfig(stored.manifest),
    layers: written.map((it, i) => describeLayer(it.descriptor, stored.manifest.layers[i])),
    ...annotationsOf(stored.manifest, finalDiffId),
  });
  return written.map(({ descriptor }, i) => {
    const layer = layers[i];
    if (layer === undefined) throw new Error("unreachable: a layer made of nothing");
    return { digest: descriptor.digest, commit: requireLayerCommit(layer) };
  });
}

function withoutConfig({ config: _, ...manifest }: ImageManifest): Omit<ImageManifest, "config"> {
  return manifest;
}

async function planLayers(
  repo: string,
  layers: readonly PlannedLayer[],
): Promise<readonly LayerPlan[]> {
  const commits = layers.map(requireLayerCommit);
  const isBase = layers[0]?.kind === "commit";
  const base = isBase ? await readCommitObjects(repo, commits[0] ?? "") : undefined;
  const chunks = await Promise.all(
    layers.map(async ({ kind }, i) =>
      kind === "chunk" ? await readChunk(repo, commits[i] ?? "") : [],
    ),
  );
  const inChunks = new Set(chunks.flat());
  return await Promise.all(
    layers.map(async ({ kind }, i): Promise<LayerPlan> => {
      const objects = () => requireBase(base);
      switch (kind) {
        case "commit": {
          const rest = [...objects().paths.keys()].filter((it) => !inChunks.has(it));
          return { entries: () => commitLayerEntries(objects(), rest) };
        }
        case "chunk":
          return { entries: () => chunkLayerEntries(objects(), chunks[i] ?? []) };
        case "derived": {
          const { rootTree, rootMeta } = await requireCommit(repo, commits[i] ?? "");
          const tree = { repo, rootTree, rootMeta };
          return { entries: () => derivedLayerEntries(tree, { isFirst: i === 0 }) };
        }
      }
    }),
  );
}

function requireLayerCommit({ digest, commit }: PlannedLayer): string {
  if (commit !== undefined) return commit;
  throw new BootcError(`the repository has lost the layer \`${digest}\``, {
    kind: "integrity",
    hint: "pull the image again",
  });
}

function requireBase(base: CommitObjects | undefined): CommitObjects {
  if (base === undefined) throw new Error("unreachable: a chunk without a commit");
  return base;
}

/** The content objects that were in a chunk: its commit has a file of that name for each. */
async function readChunk(repo: string, commit: string): Promise<readonly string[]> {
  const { rootTree } = await requireCommit(repo, commit);
  return parseDirtree(readDirtreeBytes(repo, rootTree)).files.map((it) => it.checksum);
}

const FINAL_DIFF_ID = "ostree.final-diffid";

function exportedConfig(
  config: ImageConfig,
  layers: readonly WrittenLayer[],
  finalDiffId: string | undefined,
): ImageConfig {
  const labels = labelsOf(config);
  const isOstree = FINAL_DIFF_ID in labels && finalDiffId !== undefined;
  return {
    ...config,
    ...(isOstree && {
      config: { ...config.config, Labels: { ...labels, [FINAL_DIFF_ID]: finalDiffId } },
    }),
    rootfs: { ...config.rootfs, diff_ids: layers.map((it) => it.diffId) },
    history: exportedHistory(config, layers.length),
  };
}

/** Builders insist on one step for each layer. */
function exportedHistory({ history, created }: ImageConfig, layers: number) {
  const steps = history ?? [];
  if (steps.filter((it) => it.empty_layer !== true).length === layers) return steps;
  const step = { created_by: "bootc", ...(typeof created === "string" && { created }) };
  return Array.from({ length: layers }, () => step);
}

/** Tables of contents of a blob's own compression; they do not describe the new one. */
const OF_BLOB = /^(io\.github\.containers\.|containerd\.io\/)/;

function describeLayer(written: Descriptor, before: Descriptor | undefined): Descriptor {
  const kept = Object.entries(before?.annotations ?? {}).filter(([key]) => !OF_BLOB.test(key));
  return kept.length === 0 ? written : { ...written, annotations: Object.fromEntries(kept) };
}

function annotationsOf({ annotations }: ImageManifest, finalDiffId: string | undefined) {
  if (!annotations || !(FINAL_DIFF_ID in annotations) || finalDiffId === undefined) return {};
  return { annotations: { ...annotations, [FINAL_DIFF_ID]: finalDiffId } };
}
