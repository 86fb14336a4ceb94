// A first pull of an encapsulated ostree commit with layers on top, from a registry 80 ms away.
import type { Bench } from "./bench.ts";
import { FAR } from "./contenders.ts";
import { benchFirstPulls } from "./first-pulls.ts";

export const bench: Bench = benchFirstPulls({
  kind: "encapsulated",
  layers: [8, 64, 128],
  distance: FAR,
  serialRatioMax: {},
  floorRatioMax: {},
  rounds: 3,
});
