import { expect, test } from "vitest";
import { after } from "../testing/pull-events.ts";
import { advanceProgress, sumProgress } from "./progress.ts";

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
