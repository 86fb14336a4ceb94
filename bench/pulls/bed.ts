// What every comparison of pulls needs: our program, a registry, its distance, and a folder to measure on.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Registry, startRegistry } from "../../tests/repo/registry.ts";
import type { Tree } from "../../xtask/task.ts";
import { type LayoutImage, readLayoutImage } from "../images/layout.ts";
import { type ImageShape, SYNTHETIC, writeSyntheticImage } from "../images/synthetic.ts";
import { makeSystemImages, type SystemImage } from "../images/system.ts";
import { buildHere } from "../start-up.ts";
import { type SlowLink, startSlowLink } from "./slow-link.ts";

/** How far away the registry is. */
export interface Distance {
  /** As titles have it: `no latency`. */
  readonly name: string;
  /** The link in between; when absent, the registry is used directly on loopback. */
  readonly link?: Omit<SlowLink, "targetPort">;
}

export const NEAR: Distance = { name: "no latency" };
export const FAR: Distance = {
  name: "80 ms, 20 MB/s a connection",
  link: { latencyMs: 80, bytesPerSecond: 20_000_000 },
};

/** Our program, a real registry on loopback, and a folder in `TMPDIR`. */
export interface Bed {
  readonly tree: Tree;
  readonly program: string;
  readonly registry: Registry;
  readonly folder: string;
}

/** Calls `work` with a bed and with the address at which to reach the registry. */
export async function withBed<T>(
  tree: Tree,
  { link }: Distance,
  work: (bed: Bed, address: string) => Promise<T>,
): Promise<T> {
  const program = await buildHere(tree);
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  try {
    const registry = await startRegistry();
    try {
      const bed = { tree, program, registry, folder };
      if (link === undefined) return await work(bed, registry.address);
      return await withLink(bed, link, work);
    } finally {
      await registry.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withLink<T>(
  bed: Bed,
  link: Omit<SlowLink, "targetPort">,
  work: (bed: Bed, address: string) => Promise<T>,
): Promise<T> {
  const targetPort = Number(bed.registry.address.split(":")[1]);
  const running = await startSlowLink({ ...link, targetPort });
  try {
    return await work(bed, `127.0.0.1:${running.port}`);
  } finally {
    await running.close();
  }
}

/** A generated image by its shape, or one of a Debian system by its name. */
export type ImageSource = ImageShape | SystemImage;

/** An image in the registry, and what the stock tools need to know about it. */
export interface ServedImage extends LayoutImage {
  readonly name: string;
}

/** Makes the image unless there is one already, and pushes it to the registry as `name`. */
export async function serveImage(
  bed: Bed,
  name: string,
  source: ImageSource,
): Promise<ServedImage> {
  const { layout, inLayout } = await makeImage(bed.tree, source);
  const target = `docker://${bed.registry.address}/${name}`;
  const options = ["--quiet", "--dest-tls-verify=false"];
  await bed.tree.ctx.run("skopeo", ["copy", ...options, `oci:${layout}:${inLayout}`, target]);
  return { name, ...(await readLayoutImage(layout, inLayout)) };
}

interface MadeImage {
  readonly layout: string;
  readonly inLayout: string;
}

async function makeImage(tree: Tree, source: ImageSource): Promise<MadeImage> {
  if (typeof source === "string") {
    return { layout: await makeSystemImages(tree), inLayout: source };
  }
  const shape = Object.values(source).join("-");
  const layout = join(tree.top, "target", "bench", `layout-${shape}`);
  tree.ctx.note(`an image of ${source.layers} layers, made if needed`);
  await writeSyntheticImage(layout, source);
  return { layout, inLayout: SYNTHETIC };
}

/** Writes a file with one layer digest per line, as the scripts of the baselines read it. */
export async function writeLayerList(
  { folder }: Bed,
  name: string,
  digests: readonly string[],
): Promise<string> {
  const path = join(folder, `${name}.layers`);
  await writeFile(path, digests.map((digest) => `${digest}\n`).join(""));
  return path;
}
