// A pull as a series of events, and the state they add up to. Every view of progress is built on these.
import type { LayerKind } from "../image/layer-kinds.ts";

export type PullEvent =
  /** The first event: the work to do. */
  | {
      readonly type: "planned";
      readonly image: string;
      readonly manifestDigest: string;
      readonly layers: readonly PlannedLayerProgress[];
    }
  /** Bytes of missing layers fetched so far, by this run and earlier ones. */
  | { readonly type: "fetched-bytes"; readonly bytes: number }
  | { readonly type: "layer"; readonly digest: string; readonly state: LayerState }
  /** The transfer broke off or stalled, and is tried again after `delayMs`. */
  | { readonly type: "retry"; readonly reason: string; readonly delayMs: number }
  | { readonly type: "waiting"; readonly holder: string }
  | { readonly type: "stage"; readonly stage: PullStage };

/** The stages after the layers. A verb that deploys announces the last three, which are its own steps. */
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
  /** The layer is already in the repository, so it is neither fetched nor imported. */
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

/** Sums over layers: how much the repository lacks, and how far the pull has come. */
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
