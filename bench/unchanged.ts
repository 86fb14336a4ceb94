// A pull that finds nothing new, against only asking the registry for the manifest.
import { join } from "node:path";
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import { type Distance, FAR, NEAR, oursContender, serveImage, withBed } from "./contenders.ts";
import { createReport, type Limit, type Report } from "./figures.ts";
import { measure } from "./measure.ts";

const SHAPE = { kind: "derived", layers: 8, files: 800, sizeBytes: 20_000_000 } as const;

export const bench: Bench = {
  async run(tree, { rounds = 15 }) {
    const near = await compare(tree, NEAR, { rounds, limit: { moreMsMax: 90 } });
    return [near, await compare(tree, FAR, { rounds, limit: { ratioMax: 1.5 } })];
  },
};

interface Comparison {
  readonly rounds: number;
  readonly limit: Omit<Limit, "name">;
}

async function compare(
  tree: Tree,
  distance: Distance,
  { rounds, limit }: Comparison,
): Promise<Report> {
  return await withBed(tree, distance, async (bed, address) => {
    const image = await serveImage(bed, "bench:8", SHAPE);
    const once = oursContender({ bed, image, address });
    await once.prepare?.();
    await tree.ctx.run(once.program, once.args);
    const { prepare: _fresh, ...ours } = once;
    const inspect = {
      name: "skopeo inspect --raw",
      program: "skopeo",
      args: ["inspect", "--raw", "--tls-verify=false", `docker://${address}/${image.name}`],
      env: { HOME: join(bed.folder, "home") },
    };
    const measured = await measure(tree, [ours, inspect], { rounds, warmUps: 1 });
    return createReport(measured, {
      title: `Nothing changed, ${distance.name}`,
      baseline: inspect.name,
      limits: [{ name: ours.name, ...limit }],
    });
  });
}
