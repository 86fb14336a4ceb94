// A first pull of an encapsulated ostree commit with layers on top, from a registry on this machine.
import type { Bench } from "./bench.ts";
import { NEAR } from "./contenders.ts";
import { benchFirstPulls } from "./first-pulls.ts";

export const bench: Bench = benchFirstPulls({
  kind: "encapsulated",
  // A single layer cannot be both a base and a layer on top.
  layers: [8, 64, 128],
  distance: NEAR,
  serialRatioMax: {},
  floorRatioMax: {},
  rounds: 5,
});
