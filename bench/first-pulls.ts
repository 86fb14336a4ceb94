// First pulls into an empty repository, by number of layers: ours against the serial baseline and the floor.
import type { Bench } from "./bench.ts";
import {
  type Bed,
  type Distance,
  DURABILITY,
  floorContender,
  GIGABYTE,
  oursContender,
  type PullCase,
  serialContender,
  serveImage,
  withBed,
} from "./contenders.ts";
import { createReport, type Limit, type Report } from "./figures.ts";
import type { ImageKind } from "./images.ts";
import { measure } from "./measure.ts";

export interface FirstPulls {
  readonly kind: ImageKind;
  readonly layers: readonly number[];
  readonly distance: Distance;
  /** The largest ratio to the serial baseline's time, by number of layers. */
  readonly serialRatioMax: Readonly<Record<number, number>>;
  /** The largest ratio to the floor, by number of layers; 3 by default. */
  readonly floorRatioMax: Readonly<Record<number, number>>;
  readonly rounds: number;
}

const PEAK_BYTES_MAX = 250 * 2 ** 20;

export function benchFirstPulls(pulls: FirstPulls): Bench {
  return {
    run: (tree, { rounds = pulls.rounds, layers }) =>
      withBed(tree, pulls.distance, async (bed, address) => {
        const reports: Report[] = [];
        for (const count of layers === undefined ? pulls.layers : [layers]) {
          reports.push(...(await comparePulls(bed, address, { ...pulls, count, rounds })));
        }
        return reports;
      }),
  };
}

/** Reports the same runs twice: as ratios to the serial baseline, and to the floor. */
async function comparePulls(
  bed: Bed,
  address: string,
  pulls: FirstPulls & { readonly count: number },
): Promise<readonly Report[]> {
  const { kind, count, rounds } = pulls;
  const shape = { kind, layers: count, ...GIGABYTE };
  const image = await serveImage(bed, `bench:${kind}-${count}`, shape);
  const pullCase: PullCase = { bed, image, address };
  const [ours, serial] = [oursContender(pullCase), serialContender(pullCase)];
  const floor = floorContender(pullCase);
  const serialMax = pulls.serialRatioMax[count];
  // Stock tools cannot import encapsulated commits, and the serial baseline takes minutes from afar.
  const hasSerial =
    kind === "derived" && (pulls.distance.link === undefined || serialMax !== undefined);
  const contenders = hasSerial ? [ours, serial, floor] : [ours, floor];
  const measured = await measure(bed.tree, contenders, { rounds });
  const title = `First pull, ${count} ${kind} layers, 1 GB, 30,000 files, ${pulls.distance.name}`;
  const against = (baseline: string, limit: Omit<Limit, "name">) =>
    createReport(measured, {
      title: `${title}, against ${baseline}`,
      baseline,
      notes: [DURABILITY],
      limits: [{ ...limit, name: ours.name }],
    });
  const serialLimit = serialMax === undefined ? {} : { ratioMax: serialMax };
  return [
    ...(hasSerial ? [against(serial.name, serialLimit)] : []),
    against(floor.name, {
      ratioMax: pulls.floorRatioMax[count] ?? 3,
      peakBytesMax: PEAK_BYTES_MAX,
    }),
  ];
}
