// An update in which 1 of 64 layers changed.
import type { Bench } from "./bench.ts";
import {
  makeStartingPoints,
  openBed,
  oursContender,
  serialContender,
  serveImage,
} from "./contenders.ts";
import { createReport } from "./figures.ts";
import { measure } from "./measure.ts";

export const bench: Bench = {
  async run(tree, { rounds = 5 }) {
    const bed = await openBed(tree);
    try {
      const shape = { layers: 64, files: 30_000, sizeBytes: 1_000_000_000 };
      const { address } = bed.registry;
      const before = await serveImage(bed, "bench:update", shape);
      const startFrom = await makeStartingPoints({ bed, image: before, address });
      // The tag moves, as it does for a host that follows it.
      const image = await serveImage(bed, "bench:update", { ...shape, changedLayer: 63 });
      const pullCase = { bed, image, address, startFrom };
      const [ours, serial] = [oursContender(pullCase), serialContender(pullCase)];
      const measured = await measure(tree, [ours, serial], { rounds, warmUps: 1 });
      return [
        createReport(measured, {
          title: "Update, 1 of 64 layers changed",
          baseline: serial.name,
          limits: [{ name: ours.name, ratioMax: 0.25 }],
        }),
      ];
    } finally {
      await bed.close();
    }
  },
};
