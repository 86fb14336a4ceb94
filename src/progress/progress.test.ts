import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { PROGRESS_SCHEMA } from "../format/schema/progress.ts";
import { createProgressStream } from "./json.ts";
import { advanceProgress, NO_PROGRESS, type PullEvent, sumProgress } from "./progress.ts";
import { describeEvent, describeProgress } from "./text.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const layer = (digit: string, sizeBytes: number, isPresent = false) => ({
  digest: digest(digit),
  kind: "derived" as const,
  sizeBytes,
  isPresent,
});

const EVENTS: readonly PullEvent[] = [
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
function follow(events: readonly PullEvent[]) {
  let progress = NO_PROGRESS;
  return events.map((event) => {
    progress = advanceProgress(progress, event);
    return { event, progress };
  });
}

const after = (count: number) => follow(EVENTS.slice(0, count)).at(-1)?.progress ?? NO_PROGRESS;

test("sums count only missing layers, and bytes never decrease", () => {
  expect(sumProgress(after(5))).toEqual({
    layers: 2,
    fetchedLayers: 1,
    importedLayers: 1,
    bytes: 4_000_000,
    fetchedBytes: 2_000_000,
    presentLayers: 1,
    presentBytes: 1000,
  });
  const back = advanceProgress(after(2), { type: "fetched-bytes", bytes: 5 });
  expect(sumProgress(back).fetchedBytes).toBe(2_000_000);
});

test("one layer is written in the singular", () => {
  const layer = { digest: "sha256:1", kind: "derived", sizeBytes: 5, isPresent: false } as const;
  const image = { image: "docker://quay.io/example/os", manifestDigest: "sha256:2" };
  const events: readonly PullEvent[] = [
    { type: "planned", ...image, layers: [layer] },
    { type: "layer", digest: layer.digest, state: "imported" },
  ];
  const lines = follow(events).map(({ event, progress }) => describeEvent(event, progress));
  expect(lines).toEqual([
    "fetching docker://quay.io/example/os: 1 layer (5 bytes)",
    "imported 1 layer",
  ]);
});

test("a log gets a line for each stage", () => {
  const lines = follow(EVENTS).flatMap(
    ({ event, progress }) => describeEvent(event, progress) ?? [],
  );
  expect(lines).toEqual([
    "fetching docker://quay.io/example/os: 2 layers (4.0 MB)",
    "it broke; trying again in 2 s",
    "imported 2 layers",
    "merging the layers",
    "committed the image",
    "preparing the deployment",
    "looking for bound images",
    "cleaning up",
  ]);
});

test("a terminal gets bytes, rate, remaining time and each layer's state", () => {
  const view = { columns: 100, rows: 10, bytesPerSecond: 500_000 };
  expect(describeProgress(after(3), view)).toEqual([
    "[###############               ] 2.0 MB of 4.0 MB, 500.0 kB/s, 4 s left, 0/2 layers imported",
    "  cccccccccccc    1.0 MB  fetched, being imported",
    "  bbbbbbbbbbbb    3.0 MB  waiting",
  ]);
  expect(describeProgress(after(3), { ...view, columns: 20, rows: 2 })).toEqual([
    "2.0 MB of 4.0 MB, 500.0 kB/s, 4 s left, 0/2 layers imported",
  ]);
});

test("programs get a stream that follows the published schema and starts once", () => {
  const stream = createProgressStream();
  const lines = follow(EVENTS).flatMap(({ event, progress }, i) =>
    stream.next(event, progress, i * 1000),
  );
  const validate = new Ajv2020({ strict: false, formats: { uint64: true } }).compile(
    PROGRESS_SCHEMA,
  );
  const documents = lines.map((it) => JSON.parse(it.text));
  for (const it of documents) expect([validate(it), it]).toEqual([true, it]);
  expect(documents[0]).toEqual({ type: "Start", version: "0.1.0" });
  expect(documents.filter((it) => it.task === "staging").map((it) => it.steps)).toEqual([
    0, 1, 1, 2, 3,
  ]);
  expect(documents.filter((it) => it.type === "Start")).toHaveLength(1);
});

test("bytes are reported at most five times per second", () => {
  const stream = createProgressStream();
  const events = Array.from(
    { length: 100 },
    (_, i) => ({ type: "fetched-bytes", bytes: i }) as const,
  );
  const lines = events.flatMap((it, i) => stream.next(it, NO_PROGRESS, i * 10));
  expect(lines).toHaveLength(1 + 5);
});
