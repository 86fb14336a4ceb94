// A first pull into an empty repository, by number of layers.
import type { Bench } from "./bench.ts";
import {
  floorContender,
  openBed,
  oursContender,
  type PullCase,
  serialContender,
  serveImage,
} from "./contenders.ts";
import { createReport, type Report } from "./figures.ts";
import { measure } from "./measure.ts";

const LAYERS = [1, 8, 64, 128];
const FILES = 30_000;
const SIZE_BYTES = 1_000_000_000;

export const bench: Bench = {
  async run(tree, { rounds = 5 }) {
    const bed = await openBed(tree);
    try {
      const reports: Report[] = [];
      for (const layers of LAYERS) {
        const shape = { layers, files: FILES, sizeBytes: SIZE_BYTES };
        const image = await serveImage(bed, `bench:${layers}`, shape);
        const pullCase = { bed, image, address: bed.registry.address };
        reports.push(...(await comparePulls(pullCase, { layers, rounds })));
      }
      return reports;
    } finally {
      await bed.close();
    }
  },
};

/** The same runs twice: as ratios to the serial baseline, and to the floor. */
async function comparePulls(
  pullCase: PullCase,
  { layers, rounds }: { readonly layers: number; readonly rounds: number },
): Promise<readonly Report[]> {
  const ours = oursContender(pullCase);
  const serial = serialContender(pullCase);
  const floor = floorContender(pullCase);
  const measured = await measure(pullCase.bed.tree, [ours, serial, floor], { rounds, warmUps: 1 });
  const title = `First pull, ${layers} layers, 1 GB, 30,000 files`;
  const against = (baseline: string, ratioMax: number | undefined) =>
    createReport(measured, {
      title: `${title}, against ${baseline}`,
      baseline,
      limits: ratioMax === undefined ? [] : [{ name: ours.name, ratioMax }],
    });
  return [
    against(serial.name, layers === 64 ? 0.55 : undefined),
    against(floor.name, layers === 64 ? 2.2 : 3),
  ];
}
