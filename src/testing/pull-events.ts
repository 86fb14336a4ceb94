// The events of one pull, for tests of everything that shows progress.
import { advanceProgress, NO_PROGRESS, type PullEvent } from "../progress/progress.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const layer = (digit: string, sizeBytes: number, isPresent = false) => ({
  digest: digest(digit),
  kind: "derived" as const,
  sizeBytes,
  isPresent,
});

/** The events of a pull with a retry, to its end. */
export const EVENTS: readonly PullEvent[] = [
  {
    type: "planned",
    image: "docker://quay.io/example/os",
    manifestDigest: digest("f"),
    layers: [layer("a", 1000, true), layer("b", 3_000_000), layer("c", 1_000_000)],
  },
  { type: "fetched-bytes", bytes: 2_000_000 },
  { type: "layer", digest: digest("c"), state: "fetched" },
  { type: "retry", reason: "it broke", delayMs: 2000 },
  { type: "layer", digest: digest("c"), state: "imported" },
  { type: "fetched-bytes", bytes: 4_000_000 },
  { type: "layer", digest: digest("b"), state: "fetched" },
  { type: "layer", digest: digest("b"), state: "imported" },
  { type: "stage", stage: "merging" },
  { type: "stage", stage: "committed" },
  { type: "stage", stage: "deploying" },
  { type: "stage", stage: "bound-images" },
  { type: "stage", stage: "cleaning" },
  { type: "stage", stage: "done" },
];

/** Each event with the progress after it. */
export function follow(events: readonly PullEvent[]) {
  let progress = NO_PROGRESS;
  return events.map((event) => {
    progress = advanceProgress(progress, event);
    return { event, progress };
  });
}

/** The progress after the first `count` events. */
export const after = (count: number) =>
  follow(EVENTS.slice(0, count)).at(-1)?.progress ?? NO_PROGRESS;
