// What pulls of one image are compared: ours, the serial baseline, and the floor; each into a new place.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError } from "../src/errors.ts";
import { type Registry, startRegistry } from "../tests/repo/registry.ts";
import { build } from "../xtask/build.ts";
import { isArchitecture } from "../xtask/runtime/locked.ts";
import type { Tree } from "../xtask/task.ts";
import { type ImageShape, writeBenchImage } from "./images.ts";
import type { Contender } from "./measure.ts";

/** What every comparison needs: our program, a registry, a folder on the disk that is measured. */
export interface Bed {
  readonly tree: Tree;
  readonly program: string;
  readonly registry: Registry;
  readonly folder: string;
  close(): Promise<void>;
}

/** The registry is real and on loopback; the folder is where `TMPDIR` says. */
export async function openBed(tree: Tree): Promise<Bed> {
  const architecture = isArchitecture(process.arch) ? process.arch : "x64";
  const out = join(tree.top, "target", "bench", "bootc");
  const program = await build(tree, { architecture, engine: "injector", out });
  const folder = await mkdtemp(join(tmpdir(), "bootc-bench-"));
  const registry = await startRegistry();
  return {
    tree,
    program: join(tree.top, program.replace(`${tree.top}/`, "")),
    registry,
    folder,
    async close() {
      await registry.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** An image in the registry, and what the stock tools need to know of it. */
export interface ServedImage {
  readonly name: string;
  readonly layerList: string;
}

/** Makes the image (kept under target/ for the next time) and puts it into the registry. */
export async function serveImage(bed: Bed, name: string, shape: ImageShape): Promise<ServedImage> {
  const { tree, registry, folder } = bed;
  const layout = join(tree.top, "target", "bench", `image-${Object.values(shape).join("-")}`);
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

/** Where the registry is reached: its own address, or that of a slow link in front of it. */
export interface PullCase {
  readonly bed: Bed;
  readonly image: ServedImage;
  readonly address: string;
  /** A repository to begin with, for an update; an empty one when not given. */
  readonly startFrom?: { readonly ours: string; readonly serial: string };
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
    prepare: () => freshRepository(bed, repo, startFrom?.ours),
    verify: () => requireImage(bed, repo),
  };
}

export function serialContender({ bed, image, address, startFrom }: PullCase): Contender {
  const repo = join(bed.folder, "serial");
  return {
    name: "serial, stock tools (a)",
    program: "sh",
    args: [baseline("serial-pull.sh"), repo, `docker://${address}/${image.name}`, image.layerList],
    prepare: () => freshRepository(bed, repo, startFrom?.serial),
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
    prepare: () => rm(out, { recursive: true, force: true }),
    verify: async () => {
      const digests = (await readFile(image.layerList, "utf8")).trim().split("\n");
      for (const digest of digests) {
        const sum = await readFile(join(out, `${digest.slice("sha256:".length)}.sum`), "utf8");
        if (!sum.startsWith(digest.slice("sha256:".length))) {
          throw new BootcError(`the floor wrote other bytes for \`${digest}\``, {
            kind: "integrity",
          });
        }
      }
    },
  };
}

/** Pulls the image once by each of the two, into repositories that updates start from. */
export async function makeStartingPoints(
  pullCase: PullCase,
): Promise<{ readonly ours: string; readonly serial: string }> {
  const { bed } = pullCase;
  const places = { ours: join(bed.folder, "start-ours"), serial: join(bed.folder, "start-serial") };
  for (const [contender, place] of [
    [oursContender(pullCase), places.ours],
    [serialContender(pullCase), places.serial],
  ] as const) {
    await contender.prepare?.();
    await bed.tree.ctx.run(contender.program, contender.args);
    await cp(
      contender.name === "bootc" ? join(bed.folder, "ours") : join(bed.folder, "serial"),
      place,
      {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
      },
    );
  }
  return places;
}

function baseline(name: string): string {
  return join(import.meta.dirname, "baselines", name);
}

async function freshRepository(
  { tree: { ctx } }: Bed,
  repo: string,
  from: string | undefined,
): Promise<void> {
  await rm(repo, { recursive: true, force: true });
  if (from === undefined) {
    await mkdir(repo, { recursive: true });
    await ctx.run("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
  } else {
    await ctx.run("cp", ["--archive", "--reflink=auto", from, repo]);
  }
  // What was written for this run must not be flushed on the time of the one measured.
  await ctx.run("sync", ["--file-system", repo]);
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
