// Compares pulls of one image with one another: ours, baselines of stock tools, and another program's.
import type { Tree } from "../../xtask/task.ts";
import type { Bench, BenchOptions } from "../bench.ts";
import { type Bounds, createReport, type Report } from "../figures.ts";
import { describeSystemImages, makeSystemImages } from "../images/system.ts";
import { type Contender, measure } from "../measure.ts";
import { type Bed, type Distance, type ImageSource, serveImage, withBed } from "./bed.ts";
import {
  askingFloorContender,
  CPU_SHORT,
  DURABILITY,
  floorContender,
  inspectContender,
  makeStart,
  otherPuller,
  ourPuller,
  type Pull,
  type Puller,
  pullContender,
  SERIAL,
} from "./contenders.ts";

/** What ours is compared with. */
export type Baseline = "serial" | "floor" | "inspect" | "asking-floor";

export interface PullCase {
  /** Without the distance, which follows it. */
  readonly title: string;
  readonly image: ImageSource;
  /** The image that the repository has before: another one for an update, the same when nothing is new. */
  readonly before?: ImageSource;
  readonly distance: Distance;
  /** The baselines to measure, each with the bounds for our program. */
  readonly baselines: Readonly<Partial<Record<Baseline, Bounds>>>;
  /** The bounds for our program when another one is measured too. */
  readonly againstOther?: Bounds;
  readonly rounds: number;
}

const STOCK: Readonly<Record<Exclude<Baseline, "serial">, (pull: Pull) => Promise<Contender>>> = {
  floor: floorContender,
  inspect: inspectContender,
  "asking-floor": askingFloorContender,
};

/** A benchmark of cases; `--layers` restricts it to generated images with that many layers. */
export function benchPulls(name: string, cases: readonly PullCase[]): Bench {
  return {
    async run(tree, options) {
      const reports: Report[] = [];
      for (const pullCase of cases.filter((it) => isWanted(it, options.layers))) {
        reports.push(...(await runCase(tree, pullCase, { ...options, name })));
      }
      return reports;
    },
  };
}

function isWanted({ image }: PullCase, layers: number | undefined): boolean {
  return typeof image === "string" || layers === undefined || image.layers === layers;
}

type CaseOptions = BenchOptions & { readonly name: string };

async function runCase(
  tree: Tree,
  pullCase: PullCase,
  options: CaseOptions,
): Promise<readonly Report[]> {
  return await withBed(tree, pullCase.distance, async (bed, address) => {
    const contenders = await makeContenders(bed, address, {
      ...pullCase,
      against: options.against,
    });
    const { rounds = pullCase.rounds } = options;
    const measured = await measure(tree, Object.values(contenders), { rounds });
    const notes = [DURABILITY, CPU_SHORT, ...(await describeImage(tree, pullCase))];
    const report = (baseline: Contender, bounds: Bounds) =>
      createReport(measured, {
        name: nameOf(pullCase, options.name),
        title: `${pullCase.title}, ${pullCase.distance.name}, against ${baseline.name}`,
        baseline: baseline.name,
        notes,
        limits: [{ ...bounds, name: contenders.ours.name }],
      });
    const baselines = Object.entries(pullCase.baselines) as [Baseline, Bounds][];
    const { other } = contenders;
    return [
      ...baselines.flatMap(([key, bounds]) => {
        const baseline = contenders[key];
        return baseline === undefined ? [] : [report(baseline, bounds)];
      }),
      ...(other === undefined ? [] : [report(other, pullCase.againstOther ?? {})]),
    ];
  });
}

/** The benchmark's name, with the number of layers where a benchmark has several cases. */
function nameOf({ image }: PullCase, name: string): string {
  return typeof image === "string" ? name : `${name}-${image.layers}`;
}

async function describeImage(tree: Tree, { image }: PullCase): Promise<readonly string[]> {
  return typeof image === "string"
    ? [await describeSystemImages(await makeSystemImages(tree))]
    : [];
}

/** Every contender by what it is, ours first. */
type Contenders = { readonly ours: Contender; readonly other?: Contender } & Readonly<
  Partial<Record<Baseline, Contender>>
>;

/** The tag moves from the image before to the new one, as it does for a host that follows it. */
async function makeContenders(
  bed: Bed,
  address: string,
  pullCase: PullCase & { readonly against: string | undefined },
): Promise<Contenders> {
  const name = "bench:os";
  const { before: earlier, against, baselines } = pullCase;
  const pullers: Readonly<Record<string, Puller>> = {
    ours: ourPuller(bed),
    ...(against === undefined ? {} : { other: otherPuller(against) }),
    ...(baselines.serial === undefined ? {} : { serial: SERIAL }),
  };
  const starts = new Map<Puller, string>();
  const before = earlier && (await serveImage(bed, name, earlier));
  if (before !== undefined) {
    const first = { bed, address, image: before };
    for (const puller of Object.values(pullers)) {
      starts.set(puller, await makeStart(puller, first));
    }
  }
  const pull: Pull = { bed, address, before, image: await serveImage(bed, name, pullCase.image) };
  const made: Record<string, Contender> = {};
  for (const [key, puller] of Object.entries(pullers)) {
    made[key] = await pullContender(puller, pull, starts.get(puller));
  }
  for (const [key, make] of Object.entries(STOCK)) {
    if (key in baselines) made[key] = await make(pull);
  }
  const { ours, ...others } = made;
  if (ours === undefined) throw new Error("unreachable: our own program is always measured");
  return { ours, ...others };
}
