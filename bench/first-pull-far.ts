// A first pull of 64 layers from a registry 80 ms away, at 20 MB/s a connection.
import type { Bench } from "./bench.ts";
import {
  floorContender,
  openBed,
  oursContender,
  serialContender,
  serveImage,
} from "./contenders.ts";
import { createReport } from "./figures.ts";
import { measure } from "./measure.ts";
import { startSlowLink } from "./slow-link.ts";

export const bench: Bench = {
  async run(tree, { rounds = 3 }) {
    const bed = await openBed(tree);
    const link = await startSlowLink({
      targetPort: Number(bed.registry.address.split(":")[1]),
      latencyMs: 80,
      bytesPerSecond: 20_000_000,
    });
    try {
      const shape = { layers: 64, files: 30_000, sizeBytes: 1_000_000_000 };
      const image = await serveImage(bed, "bench:64", shape);
      const pullCase = { bed, image, address: `127.0.0.1:${link.port}` };
      const [ours, serial] = [oursContender(pullCase), serialContender(pullCase)];
      const floor = floorContender(pullCase);
      const measured = await measure(tree, [ours, serial, floor], { rounds, warmUps: 0 });
      const title = "First pull, 64 layers, 80 ms, 20 MB/s a connection";
      return [
        createReport(measured, {
          title,
          baseline: serial.name,
          limits: [{ name: ours.name, ratioMax: 0.3 }],
        }),
        createReport(measured, {
          title,
          baseline: floor.name,
          limits: [{ name: ours.name, ratioMax: 3 }],
        }),
      ];
    } finally {
      await link.close();
      await bed.close();
    }
  },
};
