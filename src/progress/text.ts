// Progress for people: lines for a terminal that change, and lines for a log that stay.
import { formatDecimalSize } from "../format/size.ts";
import { shortDigest } from "../image/digest.ts";
import type { LayerProgress, PullEvent, PullProgress } from "./progress.ts";
import { sumProgress } from "./progress.ts";

export interface ProgressView {
  readonly columns: number;
  /** The most lines to show. */
  readonly rows: number;
  /** Undefined while the rate is not known yet. */
  readonly bytesPerSecond: number | undefined;
}

/** Lines for a terminal: a bar with bytes, rate and remaining time, then the layers in progress. */
export function describeProgress(progress: PullProgress, view: ProgressView): readonly string[] {
  switch (progress.stage) {
    case undefined:
    case "committed":
    case "done":
      return [];
    case "layers":
      return [describeBytes(progress, view), ...describeLayers(progress, view)];
    case "merging":
      return ["merging the layers"];
    case "deploying":
      return ["preparing the deployment"];
    case "bound-images":
      return ["looking for bound images"];
    case "cleaning":
      return ["cleaning up"];
  }
}

function describeBytes(progress: PullProgress, view: ProgressView): string {
  const { bytes, fetchedBytes, layers, importedLayers } = sumProgress(progress);
  const share = bytes === 0 ? 1 : fetchedBytes / bytes;
  const rate = view.bytesPerSecond ?? 0;
  const remaining = rate > 0 ? (bytes - fetchedBytes) / rate : undefined;
  const facts = [
    `${formatDecimalSize(fetchedBytes)} of ${formatDecimalSize(bytes)}`,
    ...(rate > 0 ? [`${formatDecimalSize(Math.round(rate))}/s`] : []),
    ...(remaining === undefined || remaining < 1 ? [] : [`${formatDuration(remaining)} left`]),
    `${importedLayers}/${layers} layers imported`,
  ].join(", ");
  const width = Math.min(30, view.columns - facts.length - 4);
  return width < 5 ? facts : `[${formatBar(share, width)}] ${facts}`;
}

function formatBar(share: number, width: number): string {
  const full = Math.min(width, Math.floor(share * width));
  return `${"#".repeat(full)}${" ".repeat(width - full)}`;
}

function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Lists layers that are fetched but not imported first, then waiting ones; the rest is only counted. */
function describeLayers(progress: PullProgress, { rows }: ProgressView): readonly string[] {
  const open = [...inState(progress, "fetched"), ...inState(progress, "waiting")];
  const room = Math.max(0, rows - 2);
  const shown = open.slice(0, Math.max(0, open.length > room ? room - 1 : room));
  const rest = open.length - shown.length;
  return [
    ...shown.map((it) => `  ${shortDigest(it.digest)} ${describeLayer(it)}`),
    ...(rest > 0 && room > 0 ? [`  and ${rest} more`] : []),
  ];
}

function describeLayer({ sizeBytes, state }: LayerProgress): string {
  const size = formatDecimalSize(sizeBytes).padStart(9);
  return `${size}  ${state === "fetched" ? "fetched, being imported" : state}`;
}

function inState(progress: PullProgress, state: LayerProgress["state"]): readonly LayerProgress[] {
  return progress.layers.filter((it) => it.state === state && !it.isPresent);
}

/** The log line for `event`, if it starts a stage; `progress` is the state after the event. */
export function describeEvent(event: PullEvent, progress: PullProgress): string | undefined {
  switch (event.type) {
    case "planned": {
      const { layers, bytes } = sumProgress(progress);
      if (layers === 0) return `fetching ${event.image}: all layers are already present`;
      return `fetching ${event.image}: ${countLayers(layers)} (${formatDecimalSize(bytes)})`;
    }
    case "layer": {
      const { layers, importedLayers } = sumProgress(progress);
      if (event.state !== "imported" || importedLayers < layers) return undefined;
      return `imported ${countLayers(layers)}`;
    }
    case "retry":
      return `${event.reason}; trying again in ${formatDelay(event.delayMs)}`;
    case "waiting":
      return `waiting for ${event.holder}`;
    case "stage":
      return describeStage(event);
    case "fetched-bytes":
      return undefined;
  }
}

function countLayers(layers: number): string {
  return layers === 1 ? "1 layer" : `${layers} layers`;
}

function describeStage({ stage }: Extract<PullEvent, { type: "stage" }>): string | undefined {
  switch (stage) {
    case "merging":
      return "merging the layers";
    case "committed":
      return "committed the image";
    case "deploying":
      return "preparing the deployment";
    case "bound-images":
      return "looking for bound images";
    case "cleaning":
      return "cleaning up";
    case "done":
      return undefined;
  }
}

function formatDelay(delayMs: number): string {
  return delayMs < 1000 ? `${delayMs} ms` : `${Math.round(delayMs / 1000)} s`;
}
