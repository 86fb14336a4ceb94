// Importing the layers of an image while others still download: which may start when, and how many at once.
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { doing, kindOf } from "../../errors.ts";
import { labelsOf } from "../../image/config.ts";
import { shortDigest } from "../../image/digest.ts";
import type { LayerKind } from "../../image/layer-kinds.ts";
import type { OnPullEvent } from "../../progress/progress.ts";
import { type BlobCache, blobPath, placeholdBlob } from "../../repository/cache.ts";
import type { PlannedLayer } from "../../repository/images.ts";
import type { Context } from "../../system/context.ts";
import { VERSION } from "../../version.ts";
import type { LabelSource } from "../labels/lookups.ts";
import {
  baseCommitOf,
  blobOf,
  type FetchPlan,
  type ImageContent,
  missingLayers,
} from "../plan/plan.ts";
import { type Batches, canWriteObjects, createBatches } from "../store/batches.ts";
import type { Arrivals } from "./arrivals.ts";
import { type ImportedLayer, importLayer, type LayerImport } from "./layer.ts";
import { type DerivedSettings, readDerivedSettings } from "./settings.ts";
import { createGate, type Gate, runSteps, type Step } from "./steps.ts";

export interface LayersInput {
  readonly cache: BlobCache;
  readonly arrivals: Arrivals;
  readonly onEvent: OnPullEvent;
  /** Opens the policy by which derived layers are labelled; without it, ostree labels them. */
  readonly labels?: LabelSource | undefined;
}

/** What importing gave: commits by layer digest, and what had no place in them. */
export interface ImportedLayers {
  readonly commits: ReadonlyMap<string, string>;
  readonly filtered: ReadonlyMap<string, number>;
  readonly specialFiles: number;
}

/** The parts of a plan that an import needs. */
type LayersPlan = Pick<FetchPlan, "request" | "source" | "layers"> & {
  readonly offered: Pick<ImageContent, "config">;
};

/** Imports what is missing, each layer when its blob has arrived and what it depends on is in. */
export async function importLayers(
  ctx: Context,
  plan: LayersPlan,
  input: LayersInput,
): Promise<ImportedLayers> {
  const { repo } = plan.request;
  const batches = (await canWriteObjects(repo)) ? await createBatches(ctx, repo) : undefined;
  const gate = createGate(availableParallelism());
  const course: ImportCourse = { ...input, plan, batches, gate, imported: new Map() };
  const steps = decideSteps(missingLayers(plan)).map((it) => startable(ctx, course, it));
  try {
    await runSteps(steps).finally(() => course.settings?.release());
    return collect(course.imported);
  } finally {
    await batches?.remove();
  }
}

/** The state that all layers of an image share while they are imported. */
interface ImportCourse extends LayersInput {
  readonly plan: LayersPlan;
  readonly batches: Batches | undefined;
  readonly gate: Gate;
  /** By layer digest. */
  readonly imported: Map<string, ImportedLayer>;
  /** Read before the first derived layer begins. */
  settings?: DerivedSettings;
}

export interface ImportStep {
  readonly name: string;
  /** The names of the steps that have to be done before. */
  readonly after: readonly string[];
  /** The layer to import. The one step without it reads the settings of the derived layers. */
  readonly layer?: PlannedLayer;
}

const SETTINGS = "settings";

/**
 * The ostree commit needs its chunks first; derived layers need to know what the commit allows, and which
 * SELinux policy it has.
 */
export function decideSteps(missing: readonly PlannedLayer[]): readonly ImportStep[] {
  const namesOf = (kind: LayerKind) =>
    missing.filter((it) => it.kind === kind).map((it) => it.digest);
  const chunks = namesOf("chunk");
  const after = { chunk: [], commit: chunks, derived: [SETTINGS] };
  const layers = missing.map((layer) => ({ name: layer.digest, after: after[layer.kind], layer }));
  if (namesOf("derived").length === 0) return layers;
  return [...layers, { name: SETTINGS, after: [...chunks, ...namesOf("commit")] }];
}

function startable(ctx: Context, course: ImportCourse, { name, after, layer }: ImportStep): Step {
  if (layer === undefined) return { name, after, run: () => readSettings(ctx, course) };
  return { name, after, run: () => importArrived(ctx, course, layer) };
}

async function readSettings(ctx: Context, course: ImportCourse): Promise<void> {
  const { plan, imported, batches, labels } = course;
  course.settings = await readDerivedSettings(ctx, {
    repo: plan.request.repo,
    baseCommit: baseCommitOf(plan, commitsOf(imported)),
    policyCommit: plan.request.policyCommit,
    labels,
    isByOstree: batches === undefined,
  });
}

async function importArrived(
  ctx: Context,
  course: ImportCourse,
  layer: PlannedLayer,
): Promise<void> {
  const { plan, cache, arrivals, gate } = course;
  const blob = blobOf(plan, layer);
  await arrivals.wait(blob.digest);
  ctx.signal.throwIfAborted();
  try {
    const imported = await doing(`importing layer ${shortDigest(layer.digest)}`, async () => {
      const written = await gate(() => importLayer(ctx, importOf(course, layer)));
      // Other layers take their turn while this one is flushed to the disk.
      await written.durable;
      return written;
    });
    // The layer is durable under its own ref now; its blob has served.
    placeholdBlob(cache, blob.digest);
    course.onEvent({ type: "layer", digest: layer.digest, state: "imported" });
    course.imported.set(layer.digest, imported);
  } catch (error) {
    // A blob that is not what it should be must not be found by the next run.
    if (kindOf(error) === "integrity") await rm(blobPath(cache, blob.digest), { force: true });
    throw error;
  }
}

function importOf(
  { plan, cache, batches, settings }: ImportCourse,
  layer: PlannedLayer,
): LayerImport {
  const blob = blobOf(plan, layer);
  return {
    repo: plan.request.repo,
    kind: layer.kind,
    layerDigest: layer.digest,
    blob: blobPath(cache, blob.digest),
    digest: blob.digest,
    sizeBytes: blob.sizeBytes,
    diffId: layer.diffId,
    filter: settings?.filter,
    selinuxPolicyDir: settings?.selinuxPolicyDir,
    labelOf: settings?.labelOf,
    importerVersion: VERSION,
    baseCommit:
      layer.kind === "commit" ? labelsOf(plan.offered.config)["ostree.commit"] : undefined,
    batches,
  };
}

function collect(imported: ReadonlyMap<string, ImportedLayer>): ImportedLayers {
  const filtered = new Map<string, number>();
  for (const layer of imported.values()) {
    for (const [name, count] of layer.filtered) {
      filtered.set(name, (filtered.get(name) ?? 0) + count);
    }
  }
  const specialFiles = [...imported.values()].reduce((sum, it) => sum + it.specialFiles, 0);
  return { commits: commitsOf(imported), filtered, specialFiles };
}

function commitsOf(imported: ReadonlyMap<string, ImportedLayer>): ReadonlyMap<string, string> {
  return new Map([...imported].map(([digest, it]) => [digest, it.commit]));
}

/** Says what of the image is not in its commit. */
export function noteFiltered(ctx: Context, { filtered, specialFiles }: ImportedLayers): void {
  if (filtered.size > 0) {
    const counts = [...filtered].sort().map(([name, count]) => `${name}: ${count}`);
    ctx.note(`Image contains non-ostree compatible file paths: ${counts.join(" ")}`);
  }
  if (specialFiles > 0) ctx.note(`device nodes, fifos and sockets left out: ${specialFiles}`);
}
