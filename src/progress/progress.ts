// The course of a pull as events, and the state they add up to: every view of progress is made of these.
import type { LayerKind } from "../image/layer-plan.ts";

export type PullEvent =
  /** First of all: what there is to do. */
  | {
      readonly type: "planned";
      readonly image: string;
      readonly manifestDigest: string;
      readonly layers: readonly PlannedLayerProgress[];
    }
  /** Bytes of missing layers fetched so far, by this and by earlier runs. */
  | { readonly type: "fetched-bytes"; readonly bytes: number }
  | { readonly type: "layer"; readonly digest: string; readonly state: LayerState }
  /** The transfer broke or stalled and is tried again after `delayMs`. */
  | { readonly type: "retry"; readonly reason: string; readonly delayMs: number }
  | { readonly type: "waiting"; readonly holder: string }
  | { readonly type: "stage"; readonly stage: PullStage };

/** What follows the layers. The last three are steps of a verb that deploys, and are announced by it. */
export type PullStage =
  | "merging"
  | "committed"
  | "deploying"
  | "bound-images"
  | "cleaning"
  | "done";

export type LayerState = "waiting" | "fetched" | "imported";

export interface PlannedLayerProgress {
  readonly digest: string;
  readonly kind: LayerKind;
  readonly sizeBytes: number;
  /** Already in the repository: neither fetched nor imported. */
  readonly isPresent: boolean;
}

export type OnPullEvent = (event: PullEvent) => void;

export interface PullProgress {
  readonly image: string;
  readonly manifestDigest: string;
  readonly layers: readonly LayerProgress[];
  readonly fetchedBytes: number;
  readonly stage: PullStage | "layers" | undefined;
}

export interface LayerProgress extends PlannedLayerProgress {
  readonly state: LayerState;
}

export const NO_PROGRESS: PullProgress = {
  image: "",
  manifestDigest: "",
  layers: [],
  fetchedBytes: 0,
  stage: undefined,
};

/** The state after `event`. */
export function advanceProgress(progress: PullProgress, event: PullEvent): PullProgress {
  switch (event.type) {
    case "planned": {
      const { image, manifestDigest } = event;
      const layers = event.layers.map((it) => ({
        ...it,
        state: it.isPresent ? ("imported" as const) : ("waiting" as const),
      }));
      return { image, manifestDigest, layers, fetchedBytes: 0, stage: "layers" };
    }
    case "fetched-bytes":
      return { ...progress, fetchedBytes: Math.max(progress.fetchedBytes, event.bytes) };
    case "layer": {
      const { digest, state } = event;
      const layers = progress.layers.map((it) => (it.digest === digest ? { ...it, state } : it));
      return { ...progress, layers };
    }
    case "stage":
      return { ...progress, stage: event.stage };
    case "retry":
    case "waiting":
      return progress;
  }
}

/** Sums over layers: what is missing in the repository, and how far it has come. */
export interface ProgressTotals {
  readonly layers: number;
  readonly fetchedLayers: number;
  readonly importedLayers: number;
  readonly bytes: number;
  readonly fetchedBytes: number;
  readonly presentLayers: number;
  readonly presentBytes: number;
}

export function sumProgress(progress: PullProgress): ProgressTotals {
  const missing = progress.layers.filter((it) => !it.isPresent);
  const present = progress.layers.filter((it) => it.isPresent);
  const fetched = missing.filter((it) => it.state !== "waiting");
  const bytes = sumSizes(missing);
  return {
    layers: missing.length,
    fetchedLayers: fetched.length,
    importedLayers: missing.filter((it) => it.state === "imported").length,
    bytes,
    fetchedBytes: Math.min(bytes, Math.max(progress.fetchedBytes, sumSizes(fetched))),
    presentLayers: present.length,
    presentBytes: sumSizes(present),
  };
}

function sumSizes(layers: readonly LayerProgress[]): number {
  return layers.reduce((sum, it) => sum + it.sizeBytes, 0);
}
