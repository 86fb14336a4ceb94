// A first pull from a registry 80 ms away, at 20 MB/s a connection.
import type { Bench } from "./bench.ts";
import { FAR } from "./contenders.ts";
import { benchFirstPulls } from "./first-pulls.ts";

export const bench: Bench = benchFirstPulls({
  kind: "derived",
  layers: [1, 8, 64, 128],
  distance: FAR,
  serialRatioMax: { 64: 0.3 },
  floorRatioMax: {},
  rounds: 3,
});
