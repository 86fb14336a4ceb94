// An update in which 1 of 64 layers has changed, near and far.
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import {
  type Bed,
  type Distance,
  DURABILITY,
  FAR,
  GIGABYTE,
  keepRepository,
  NEAR,
  oursContender,
  type PullCase,
  serialContender,
  serveImage,
  withBed,
} from "./contenders.ts";
import { createReport, type Report } from "./figures.ts";
import type { ImageKind } from "./images.ts";
import { type Contender, measure } from "./measure.ts";

export const bench: Bench = {
  async run(tree, { rounds = 5, layers = 64 }) {
    const near = await compare(tree, NEAR, { rounds, layers });
    return [near, await compare(tree, FAR, { rounds, layers })];
  },
};

async function compare(
  tree: Tree,
  distance: Distance,
  { rounds, layers }: { readonly rounds: number; readonly layers: number },
): Promise<Report> {
  return await withBed(tree, distance, async (bed, address) => {
    const { ours, serial } = await makeUpdate(bed, address, { kind: "derived", layers });
    const encapsulated = await makeUpdate(bed, address, { kind: "encapsulated", layers });
    const onBase = { ...encapsulated.ours, name: "bootc, encapsulated base" };
    const measured = await measure(tree, [ours, onBase, serial], { rounds });
    return createReport(measured, {
      title: `Update, 1 of ${layers} layers changed, ${distance.name}`,
      baseline: serial.name,
      notes: [DURABILITY],
      limits: [ours, onBase].map(({ name }) => ({ name, ratioMax: 0.25 })),
    });
  });
}

/**
 * Both contenders update the image they pulled before. The uppermost layer changes, as in an image whose
 * base stays the same, and the tag moves, as it does for a host that follows it.
 */
async function makeUpdate(
  bed: Bed,
  address: string,
  { kind, layers }: { readonly kind: ImageKind; readonly layers: number },
): Promise<{ readonly ours: Contender; readonly serial: Contender }> {
  const name = `bench:${kind}`;
  const shape = { kind, layers, ...GIGABYTE };
  const before: PullCase = { bed, address, image: await serveImage(bed, name, shape) };
  const near = { ...before, address: bed.registry.address };
  const startOurs = await keepRepository(bed, oursContender(before), "ours");
  const startSerial =
    kind === "derived" ? await keepRepository(bed, serialContender(near), "serial") : undefined;
  const image = await serveImage(bed, name, { ...shape, changedLayer: layers - 1 });
  const after = { ...before, image };
  return {
    ours: oursContender({ ...after, startFrom: startOurs }),
    serial: serialContender({ ...after, startFrom: startSerial }),
  };
}
