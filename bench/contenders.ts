// The pulls that we compare: ours, the serial baseline, and the floor. Each starts in a new folder.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../src/errors.ts";
import { type Registry, startRegistry } from "../tests/repo/registry.ts";
import type { Tree } from "../xtask/task.ts";
import { type ImageShape, writeBenchImage } from "./images.ts";
import type { Contender } from "./measure.ts";
import { type SlowLink, startSlowLink } from "./slow-link.ts";
import { buildHere } from "./start-up.ts";

/** How far away the registry is. */
export interface Distance {
  /** The words for titles: `at no distance`. */
  readonly name: string;
  /** The link in between; when absent, the registry is used directly on loopback. */
  readonly link?: Omit<SlowLink, "targetPort">;
}

export const NEAR: Distance = { name: "no latency" };
export const FAR: Distance = {
  name: "80 ms, 20 MB/s a connection",
  link: { latencyMs: 80, bytesPerSecond: 20_000_000 },
};

/** Calls `work` with a bed and with the address at which to reach the registry. */
export async function withBed<T>(
  tree: Tree,
  { link }: Distance,
  work: (bed: Bed, address: string) => Promise<T>,
): Promise<T> {
  const bed = await openBed(tree);
  try {
    if (link === undefined) return await work(bed, bed.registry.address);
    const targetPort = Number(bed.registry.address.split(":")[1]);
    const running = await startSlowLink({ ...link, targetPort });
    try {
      return await work(bed, `127.0.0.1:${running.port}`);
    } finally {
      await running.close();
    }
  } finally {
    await bed.close();
  }
}

/** What every comparison needs: our program, a registry, and a folder on the disk to measure on. */
export interface Bed {
  readonly tree: Tree;
  readonly program: string;
  readonly registry: Registry;
  readonly folder: string;
  close(): Promise<void>;
}

/** The registry is a real one on loopback; the folder is in `TMPDIR`. */
async function openBed(tree: Tree): Promise<Bed> {
  const program = await buildHere(tree);
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  const registry = await startRegistry();
  return {
    tree,
    program,
    registry,
    folder,
    async close() {
      await registry.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An image in the registry, and what the stock tools need to know about it. */
export interface ServedImage {
  readonly name: string;
  readonly layerList: string;
}

/** Makes the image, or reuses the one under target/, and pushes it to the registry. */
export async function serveImage(bed: Bed, name: string, shape: ImageShape): Promise<ServedImage> {
  const { tree, registry, folder } = bed;
  const layout = join(tree.top, "target", "bench", `image-${Object.values(shape).join("-")}`);
  tree.ctx.note(`the image ${name}: ${shape.layers} layers, made if needed`);
  await writeBenchImage(layout, shape);
  const target = `docker://${registry.address}/${name}`;
  await tree.ctx.run("skopeo", [
    "copy",
    "--quiet",
    "--dest-tls-verify=false",
    `oci:${layout}`,
    target,
  ]);
  const manifest = JSON.parse(await tree.ctx.read("skopeo", ["inspect", "--raw", `oci:${layout}`]));
  const digests = (manifest as { layers: { digest: string }[] }).layers.map((it) => it.digest);
  const layerList = join(folder, `${name.replaceAll(/[/:]/g, "-")}.layers`);
  await writeFile(layerList, `${digests.join("\n")}\n`);
  return { name, layerList };
}

export const GIGABYTE = { files: 30_000, sizeBytes: 1_000_000_000 } as const;

/** How all contenders end, so that none is faster because a later flush does part of its work. */
export const DURABILITY =
  "each ends with its files on the disk: ostree's fsync is on for (a) and for us, (b) ends with sync";

/** The registry's address: its own, or that of a slow link in front of it. */
export interface PullCase {
  readonly bed: Bed;
  readonly image: ServedImage;
  readonly address: string;
  /** The repository to start from, for an update; an empty one by default. */
  readonly startFrom?: string | undefined;
}

export function oursContender({ bed, image, address, startFrom }: PullCase): Contender {
  const repo = join(bed.folder, "ours");
  const reference = `ostree-unverified-registry:${address}/${image.name}`;
  return {
    name: "bootc",
    program: bed.program,
    args: [
      ...["internals", "ostree-container", "image", "pull", "--quiet"],
      ...["--insecure-skip-tls-verification", repo, reference],
    ],
    prepare: () => freshRepository(bed, repo, startFrom),
    verify: () => requireImage(bed, repo),
  };
}

export function serialContender({ bed, image, address, startFrom }: PullCase): Contender {
  const repo = join(bed.folder, "serial");
  return {
    name: "serial, stock tools (a)",
    program: "sh",
    args: [baseline("serial-pull.sh"), repo, `docker://${address}/${image.name}`, image.layerList],
    prepare: () => freshRepository(bed, repo, startFrom),
    verify: async () => {
      await bed.tree.ctx.read("ostree", ["rev-parse", `--repo=${repo}`, "bench/image"]);
    },
  };
}

export function floorContender({ bed, image, address }: PullCase): Contender {
  const out = join(bed.folder, "floor");
  const [repository = ""] = image.name.split(":");
  return {
    name: "floor, plain files (b)",
    program: "bash",
    args: [baseline("floor.sh"), out, `http://${address}/v2/${repository}/blobs`, image.layerList],
    prepare: async () => {
      await rm(out, { recursive: true, force: true });
      await flush(bed, bed.folder);
    },
    verify: async () => {
      const digests = (await readFile(image.layerList, "utf8")).trim().split("\n");
      for (const digest of digests) {
        const sum = await readFile(join(out, `${digest.slice("sha256:".length)}.sum`), "utf8");
        if (!sum.startsWith(digest.slice("sha256:".length))) {
          throw new BootcError(`the floor wrote wrong bytes for \`${digest}\``, {
            kind: "integrity",
          });
        }
      }
    },
  };
}

/** Runs a contender once and keeps its repository, from which updates start. */
export async function keepRepository(
  bed: Bed,
  contender: Contender,
  from: string,
): Promise<string> {
  bed.tree.ctx.note(`${contender.name}: a first pull, to update from`);
  await contender.prepare?.();
  await bed.tree.ctx.run(contender.program, contender.args);
  const place = await mkdtemp(join(bed.folder, "start-"));
  await bed.tree.ctx.run("cp", [
    "--archive",
    "--no-target-directory",
    join(bed.folder, from),
    place,
  ]);
  return place;
}

function baseline(name: string): string {
  return join(import.meta.dirname, "baselines", name);
}

async function freshRepository(bed: Bed, repo: string, from: string | undefined): Promise<void> {
  const { ctx } = bed.tree;
  await rm(repo, { recursive: true, force: true });
  if (from === undefined) {
    await mkdir(repo, { recursive: true });
    await ctx.run("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
  } else {
    await ctx.run("cp", ["--archive", "--reflink=auto", from, repo]);
  }
  await flush(bed, repo);
}

/** Flushes what the preparation wrote or removed, so that it does not slow the measured run. */
async function flush({ tree: { ctx } }: Bed, folder: string): Promise<void> {
  await ctx.run("sync", ["--file-system", folder]);
}

async function requireImage({ tree: { ctx } }: Bed, repo: string): Promise<void> {
  const refs = await ctx.read("ostree", [
    "refs",
    `--repo=${repo}`,
    "--list",
    "ostree/container/image",
  ]);
  if (refs.trim() === "") throw new BootcError("the pull left no image ref");
}
