// Importing the layers of an image while others still download: which may start when, and how many at once.
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { doing, kindOf } from "../../errors.ts";
import { labelsOf } from "../../image/config.ts";
import { shortDigest } from "../../image/digest.ts";
import {
  type BlobCache,
  blobPath,
  placeholdBlob,
  type WantedBlob,
} from "../../repository/cache.ts";
import type { PlannedLayer } from "../../repository/images.ts";
import type { Context } from "../../system/context.ts";
import { VERSION } from "../../version.ts";
import type { PullPlan } from "../plan/plan.ts";
import { type Batches, canWriteObjects, createBatches } from "../store/batches.ts";
import { type Arrivals, createGate } from "./arrivals.ts";
import { type ImportedLayer, importLayer, type LayerImport } from "./layer.ts";
import { type DerivedSettings, readDerivedSettings } from "./settings.ts";

export interface LayersInput {
  readonly cache: BlobCache;
  readonly arrivals: Arrivals;
}

/** What importing gave: commits by layer digest, and what had no place in them. */
export interface ImportedLayers {
  readonly commits: ReadonlyMap<string, string>;
  readonly filtered: ReadonlyMap<string, number>;
  readonly specialFiles: number;
}

/** A layer's blob as it lies in the cache. Stored images have theirs uncompressed, named by diff-id. */
export function blobOf({ image }: Pick<PullPlan, "image">, layer: PlannedLayer): WantedBlob {
  if (image.transport === "containers-storage") {
    return { digest: layer.diffId, sizeBytes: undefined };
  }
  return { digest: layer.digest, sizeBytes: layer.sizeBytes };
}

/** The layers that the repository lacks, each digest once. */
export function missingLayers(plan: Pick<PullPlan, "layers">): readonly PlannedLayer[] {
  const missing = plan.layers.filter((it) => it.commit === undefined);
  return [...new Map(missing.map((it) => [it.digest, it])).values()];
}

/**
 * Imports what is missing, each layer when its blob has arrived. The ostree commit needs its chunks
 * first, and derived layers need to know what the commit allows.
 */
export async function importLayers(
  ctx: Context,
  plan: PullPlan,
  input: LayersInput,
): Promise<ImportedLayers> {
  const { repo } = plan.request;
  const batches = (await canWriteObjects(repo)) ? await createBatches(ctx, repo) : undefined;
  try {
    return await importBaseThenDerived(ctx, plan, { ...input, batches });
  } finally {
    await batches?.remove();
  }
}

async function importBaseThenDerived(
  ctx: Context,
  plan: PullPlan,
  input: LayersInput & { readonly batches: Batches | undefined },
): Promise<ImportedLayers> {
  const missing = missingLayers(plan);
  const gate = createGate(availableParallelism());
  const importOne = (layer: PlannedLayer, settings?: DerivedSettings) =>
    importFromCache(ctx, { ...input, plan, layer, settings, gate });
  const arrivedOne = async (layer: PlannedLayer) => {
    await input.arrivals.wait(blobOf(plan, layer).digest);
    plan.request.onEvent?.({ type: "layer", digest: layer.digest, state: "fetched" });
  };
  const ofKind = (kind: string) => missing.filter((it) => it.kind === kind);
  const base = (async () => {
    const chunks = ofKind("chunk").map(async (it) => {
      await arrivedOne(it);
      return await importOne(it);
    });
    const done = [...(await settleAll(chunks))];
    for (const it of ofKind("commit")) {
      await arrivedOne(it);
      done.push(await importOne(it));
    }
    return done;
  })();
  const derived = ofKind("derived");
  const arriving = derived.map((it) => arrivedOne(it));
  for (const it of arriving) it.catch(() => undefined); // awaited below, perhaps after it failed
  const ofBase = await base;
  if (derived.length === 0) return collect(ofBase);
  const settings = await readDerivedSettings(ctx, {
    repo: plan.request.repo,
    baseCommit: baseCommitOf(plan, new Map(ofBase.map(([digest, it]) => [digest, it.commit]))),
    policyCommit: plan.request.policyCommit,
  });
  try {
    const ofDerived = await settleAll(
      derived.map(async (it, i) => {
        await arriving[i];
        return await importOne(it, settings);
      }),
    );
    return collect([...ofBase, ...ofDerived]);
  } finally {
    await settings.release();
  }
}

/** The commit of the encapsulated base, from the repository or just imported. */
export function baseCommitOf(
  plan: Pick<PullPlan, "layers">,
  imported: ReadonlyMap<string, string>,
): string | undefined {
  const layer = plan.layers.find((it) => it.kind === "commit");
  return layer && (layer.commit ?? imported.get(layer.digest));
}

interface OneLayer {
  readonly plan: PullPlan;
  readonly layer: PlannedLayer;
  readonly settings: DerivedSettings | undefined;
  readonly cache: BlobCache;
  readonly batches: Batches | undefined;
  readonly gate: ReturnType<typeof createGate>;
}

async function importFromCache(
  ctx: Context,
  { plan, layer, settings, cache, batches, gate }: OneLayer,
): Promise<readonly [string, ImportedLayer]> {
  ctx.signal.throwIfAborted();
  const blob = blobOf(plan, layer);
  const path = blobPath(cache, blob.digest);
  try {
    const imported = await doing(`importing layer ${shortDigest(layer.digest)}`, async () => {
      const request: LayerImport = {
        repo: plan.request.repo,
        kind: layer.kind,
        layerDigest: layer.digest,
        blob: path,
        digest: blob.digest,
        sizeBytes: blob.sizeBytes,
        diffId: layer.diffId,
        filter: settings?.filter,
        selinuxPolicyDir: settings?.selinuxPolicyDir,
        importerVersion: VERSION,
        baseCommit: layer.kind === "commit" ? labelsOf(plan.config)["ostree.commit"] : undefined,
        batches,
      };
      const written = await gate(() => importLayer(ctx, request));
      // Other layers take their turn while this one is flushed to the disk.
      await written.durable;
      return written;
    });
    // The layer is durable under its own ref now; its blob has served.
    placeholdBlob(cache, blob.digest);
    plan.request.onEvent?.({ type: "layer", digest: layer.digest, state: "imported" });
    return [layer.digest, imported];
  } catch (error) {
    // A blob that is not what it should be must not be found by the next run.
    if (kindOf(error) === "integrity") await rm(path, { force: true });
    throw error;
  }
}

/** All results, or the first error after everything has ended: nothing runs on behind our back. */
async function settleAll<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function collect(layers: readonly (readonly [string, ImportedLayer])[]): ImportedLayers {
  const filtered = new Map<string, number>();
  for (const [, layer] of layers) {
    for (const [name, count] of layer.filtered) {
      filtered.set(name, (filtered.get(name) ?? 0) + count);
    }
  }
  return {
    commits: new Map(layers.map(([digest, it]) => [digest, it.commit])),
    filtered,
    specialFiles: layers.reduce((sum, [, it]) => sum + it.specialFiles, 0),
  };
}

/** Says what of the image is not in its commit. */
export function noteFiltered(ctx: Context, { filtered, specialFiles }: ImportedLayers): void {
  if (filtered.size > 0) {
    const counts = [...filtered].sort().map(([name, count]) => `${name}: ${count}`);
    ctx.note(`Image contains non-ostree compatible file paths: ${counts.join(" ")}`);
  }
  if (specialFiles > 0) ctx.note(`left out ${specialFiles} device nodes, fifos or sockets`);
}
