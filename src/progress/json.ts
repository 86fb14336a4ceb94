// The progress stream for programs: one line of JSON for each step, protocol version 0.1.0.
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { hexOf } from "../image/digest.ts";
import type { PipeLine } from "./line-pipe.ts";
import type { LayerProgress, PullEvent, PullProgress, PullStage } from "./progress.ts";
import { sumProgress } from "./progress.ts";

export interface ProgressStream {
  /** Lines for `event`. `progress` is the state after it. `nowMs` limits how often bytes are reported. */
  next(event: PullEvent, progress: PullProgress, nowMs: number): readonly PipeLine[];
}

/** The least time between reports of bytes, in milliseconds; all other events are always reported. */
const BYTES_EVERY_MS = 200;
/** How many characters of a digest identify a subtask. */
const ID_LENGTH = 21;

const START = { type: "Start", version: "0.1.0" };

export function createProgressStream(): ProgressStream {
  let isStarted = false;
  let bytesAtMs = Number.NEGATIVE_INFINITY;
  return {
    next(event, progress, nowMs) {
      if (event.type === "fetched-bytes") {
        if (nowMs - bytesAtMs < BYTES_EVERY_MS) return [];
        bytesAtMs = nowMs;
      }
      const documents = documentsOf(event, progress);
      if (documents.length === 0) return [];
      // While pulling, each document is a full snapshot; later ones are increments.
      const isSnapshot = event.type !== "stage";
      const lines = documents.map((it) => ({ text: formatCanonicalJson(it), isSnapshot }));
      if (isStarted) return lines;
      isStarted = true;
      return [{ text: formatCanonicalJson(START), isSnapshot: false }, ...lines];
    },
  };
}

function documentsOf(event: PullEvent, progress: PullProgress): readonly object[] {
  switch (event.type) {
    case "planned":
    case "fetched-bytes":
    case "layer":
      return [pulling(progress)];
    case "retry":
    case "waiting":
      return [];
    case "stage":
      return stageDocuments(event.stage, progress);
  }
}

function pulling(progress: PullProgress): object {
  const totals = sumProgress(progress);
  const missing = progress.layers.filter((it) => !it.isPresent);
  return {
    type: "ProgressBytes",
    task: "pulling",
    description: `Pulling Image: ${progress.manifestDigest}`,
    id: progress.manifestDigest,
    bytesCached: totals.presentBytes,
    bytes: totals.fetchedBytes,
    bytesTotal: totals.bytes,
    stepsCached: totals.presentLayers,
    steps: totals.fetchedLayers,
    stepsTotal: totals.layers,
    subtasks: missing.filter((it) => it.state !== "waiting").map(layerSubtask),
  };
}

function layerSubtask({ kind, digest, sizeBytes }: LayerProgress): object {
  const subtask = kind === "derived" ? "layer" : "ostree chunk";
  const id = hexOf(digest).slice(0, ID_LENGTH);
  return {
    subtask,
    description: `${subtask} ${id}`,
    id,
    bytesCached: 0,
    bytes: sizeBytes,
    bytesTotal: sizeBytes,
  };
}

const STAGING = [
  { subtask: "merging", id: "fetching", description: "Merging Image" },
  { subtask: "deploying", id: "deploying", description: "Deploying Image" },
  { subtask: "bound_images", id: "bound_images", description: "Pulling Bound Images" },
  { subtask: "cleanup", id: "cleanup", description: "Removing old images" },
] as const;

/** The documents to send when `stage` begins. */
function stageDocuments(stage: PullStage, { manifestDigest: id }: PullProgress): readonly object[] {
  switch (stage) {
    case "merging":
      return [importing(0)];
    case "committed":
      return [importing(1), staging(id, { done: 0, steps: 0 })];
    case "deploying":
      return [staging(id, { done: 1, steps: 1 })];
    case "bound-images":
      return [staging(id, { done: 2, steps: 1 })];
    case "cleaning":
      return [staging(id, { done: 3, steps: 2 })];
    case "done":
      return [staging(id, { done: 4, steps: 3 })];
  }
}

function importing(steps: 0 | 1): object {
  return {
    type: "ProgressSteps",
    task: "importing",
    description: "Importing Image",
    id: "importing",
    stepsCached: 0,
    steps,
    stepsTotal: 1,
    subtasks: [
      {
        subtask: "importing",
        description: "Importing Image",
        id: "importing",
        completed: steps === 1,
      },
    ],
  };
}

interface StagingProgress {
  /** How many subtasks are complete. */
  readonly done: number;
  readonly steps: number;
}

function staging(id: string, { done, steps }: StagingProgress): object {
  const begun = STAGING.slice(0, done + 1).map((it, i) => ({ ...it, completed: i < done }));
  // bootc 1.x names the last one twice in the end, and its tests count them.
  const all = done < STAGING.length ? begun : [...begun, ...begun.slice(-1)];
  return {
    type: "ProgressSteps",
    task: "staging",
    description: "Deploying Image",
    id,
    stepsCached: 0,
    steps,
    stepsTotal: 3,
    subtasks: all,
  };
}
