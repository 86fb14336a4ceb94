// A first pull of layers that are file system differences, from a registry on this machine.
import type { Bench } from "./bench.ts";
import { NEAR } from "./contenders.ts";
import { benchFirstPulls } from "./first-pulls.ts";

export const bench: Bench = benchFirstPulls({
  kind: "derived",
  layers: [1, 8, 64, 128],
  distance: NEAR,
  serialRatioMax: { 64: 0.55 },
  floorRatioMax: { 64: 2.2 },
  rounds: 5,
});
