// A pull that finds nothing new, against asking the registry for the manifest and no more.
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { type Bed, openBed, oursContender, type ServedImage, serveImage } from "./contenders.ts";
import { createReport, type Report } from "./figures.ts";
import { measure } from "./measure.ts";
import { startSlowLink } from "./slow-link.ts";

export const bench: Bench = {
  async run(tree, { rounds = 15 }) {
    const bed = await openBed(tree);
    const targetPort = Number(bed.registry.address.split(":")[1]);
    const far = await startSlowLink({ targetPort, latencyMs: 80 });
    try {
      const image = await serveImage(bed, "bench:8", {
        layers: 8,
        files: 800,
        sizeBytes: 20_000_000,
      });
      return [
        await compare(bed, image, { address: bed.registry.address, latencyMs: 0, rounds }),
        await compare(bed, image, { address: `127.0.0.1:${far.port}`, latencyMs: 80, rounds }),
      ];
    } finally {
      await far.close();
      await bed.close();
    }
  },
};

interface Distance {
  readonly address: string;
  readonly latencyMs: number;
  readonly rounds: number;
}

async function compare(
  bed: Bed,
  image: ServedImage,
  { address, latencyMs, rounds }: Distance,
): Promise<Report> {
  const once = oursContender({ bed, image, address });
  await once.prepare?.();
  await bed.tree.ctx.run(once.program, once.args);
  const { prepare: _fresh, ...ours } = once;
  const inspect = {
    name: "skopeo inspect --raw",
    program: "skopeo",
    args: ["inspect", "--raw", "--tls-verify=false", `docker://${address}/${image.name}`],
    env: { HOME: join(bed.folder, "home") },
  };
  const measured = await measure(bed.tree, [ours, inspect], { rounds, warmUps: 1 });
  return createReport(measured, {
    title: `Nothing changed, ${latencyMs} ms`,
    baseline: inspect.name,
    limits: latencyMs === 0 ? [] : [{ name: ours.name, ratioMax: 1.5 }],
  });
}
