import { expect, test } from "vitest";
import { after, EVENTS, follow } from "../testing/pull-events.ts";
import type { PullEvent } from "./progress.ts";
import { describeEvent, describeProgress } from "./text.ts";

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
