// The pulls that we compare: ours, another program's, and baselines of stock tools. Each starts anew.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import type { Contender } from "../measure.ts";
import { type Bed, type ServedImage, writeLayerList } from "./bed.ts";

/** How all contenders end, so that none is faster because a later flush does part of its work. */
export const DURABILITY =
  "each ends with its files on the disk: ostree's fsync is on in all repositories, the floor ends with sync";

/** What the figures of CPU time lack. */
export const CPU_SHORT =
  "CPU: of what each waited for; where nothing is new, ours does not wait for the end of skopeo";

/** What is pulled from where, and what is in the repository before. */
export interface Pull {
  readonly bed: Bed;
  readonly image: ServedImage;
  /** The registry's own address, or that of a slow link in front of it. */
  readonly address: string;
  /** The image in the repository before; the repository is empty when undefined. */
  readonly before?: ServedImage | undefined;
}

/** A program that pulls into an ostree repository. */
export interface Puller {
  /** The name in reports. */
  readonly name: string;
  /** The repository is `<folder>/<id>`. */
  readonly id: string;
  command(repo: string, pull: Pull): Promise<readonly [program: string, ...args: string[]]>;
  /** The refs of pulled images. */
  readonly imageRefs: string;
  /** Whether the commit of an image says which manifest it is from. */
  readonly recordsManifest: boolean;
  /** Whether the first pull from afar takes minutes; an update then starts from a pull nearby. */
  readonly isSlowFromAfar: boolean;
}

/** The words between our program's name and those of a pull, as users of `bootc` know them. */
const OUR_WORDS = ["internals", "ostree-container"];

export function ourPuller(bed: Bed): Puller {
  return containerPuller("bootc", "ours", [bed.program, ...OUR_WORDS]);
}

/** Another program with our command line; words after its name replace `internals ostree-container`. */
export function otherPuller(command: string): Puller {
  const [program = command, ...words] = command.split(/\s+/);
  return containerPuller(`other: ${basename(program)}`, "other", [
    program,
    ...(words.length > 0 ? words : OUR_WORDS),
  ]);
}

function containerPuller(name: string, id: string, command: readonly string[]): Puller {
  const [program = name, ...words] = command;
  return {
    name,
    id,
    command: async (repo, { address, image }) => [
      program,
      ...words,
      ...["image", "pull", "--quiet", "--insecure-skip-tls-verification", repo],
      `ostree-unverified-registry:${address}/${image.name}`,
    ],
    imageRefs: "ostree/container/image",
    recordsManifest: true,
    isSlowFromAfar: false,
  };
}

/** Stock tools, one layer after another. */
export const SERIAL: Puller = {
  name: "serial, stock tools (a)",
  id: "serial",
  async command(repo, { bed, address, image }) {
    const layers = await writeLayerList(bed, "serial", image.layerDigests);
    return ["sh", baseline("serial-pull.sh"), repo, `docker://${address}/${image.name}`, layers];
  },
  imageRefs: "bench/image",
  recordsManifest: false,
  isSlowFromAfar: true,
};

/**
 * A contender that pulls into an empty repository, or into a copy of `start`. A pull that finds nothing new
 * leaves `start` as it was, and is run on it.
 */
export async function pullContender(
  puller: Puller,
  pull: Pull,
  start: string | undefined,
): Promise<Contender> {
  const { bed, image, before } = pull;
  const isUnchanged = before?.manifestDigest === image.manifestDigest;
  const repo = isUnchanged && start ? start : join(bed.folder, puller.id);
  const [program, ...args] = await puller.command(repo, pull);
  return {
    name: puller.name,
    program,
    args,
    ...(isUnchanged ? {} : { prepare: () => freshRepository(bed, repo, start) }),
    verify: () => requireImage(puller, repo, pull),
  };
}

/** A repository that the program itself has pulled an image into, from which an update starts. */
export async function makeStart(puller: Puller, pull: Pull): Promise<string> {
  const { bed } = pull;
  bed.tree.ctx.note(`${puller.name}: a first pull, to start from`);
  const start = join(bed.folder, `${puller.id}-start`);
  await freshRepository(bed, start, undefined);
  const address = puller.isSlowFromAfar ? bed.registry.address : pull.address;
  const [program, ...args] = await puller.command(start, { ...pull, address });
  await bed.tree.ctx.run(program, args);
  return start;
}

/** The floor: stock tools download, decompress, hash and write the layers that are new. */
export async function floorContender({ bed, image, address, before }: Pull): Promise<Contender> {
  const digests = newLayers(image, before);
  const out = join(bed.folder, "floor");
  const layers = await writeLayerList(bed, "floor", digests);
  return {
    name: "floor, plain files (b)",
    program: "bash",
    args: [baseline("floor.sh"), out, blobPrefix(address, image), layers],
    prepare: async () => {
      await rm(out, { recursive: true, force: true });
      await flush(bed, bed.folder);
    },
    verify: async () => {
      for (const digest of digests) await requireSum(out, digest.slice("sha256:".length));
    },
  };
}

/** Two manifests, one after the other, then the floor: what an update from afar has to ask for. */
export async function askingFloorContender(pull: Pull): Promise<Contender> {
  const floor = await floorContender(pull);
  const [script = "", ...args] = floor.args;
  return {
    ...floor,
    name: "inspect twice, then the floor",
    args: [baseline("ask-twice.sh"), imageName(pull), script, ...args],
  };
}

/** One question to the registry. */
export async function inspectContender(pull: Pull): Promise<Contender> {
  return {
    name: "skopeo inspect --raw",
    program: "skopeo",
    args: ["inspect", "--raw", "--tls-verify=false", imageName(pull)],
    env: { HOME: join(pull.bed.folder, "home") },
  };
}

function imageName({ address, image }: Pull): string {
  return `docker://${address}/${image.name}`;
}

function newLayers(image: ServedImage, before: ServedImage | undefined): readonly string[] {
  return image.layerDigests.filter((digest) => before?.layerDigests.includes(digest) !== true);
}

function blobPrefix(address: string, { name }: ServedImage): string {
  const [repository = ""] = name.split(":");
  return `http://${address}/v2/${repository}/blobs`;
}

async function requireSum(out: string, hash: string): Promise<void> {
  const sum = await readFile(join(out, `${hash}.sum`), "utf8");
  if (sum.startsWith(hash)) return;
  throw new BootcError(`the floor wrote wrong bytes for layer \`${hash}\``, { kind: "integrity" });
}

function baseline(name: string): string {
  return join(import.meta.dirname, "..", "baselines", name);
}

/**
 * An empty repository, or a copy of `from`. Objects never change, so the copy shares them by hard links;
 * copying their content as well would take longer than the update to measure.
 */
async function freshRepository(bed: Bed, repo: string, from: string | undefined): Promise<void> {
  const { ctx } = bed.tree;
  await rm(repo, { recursive: true, force: true });
  await mkdir(repo, { recursive: true });
  if (from === undefined) {
    await ctx.run("ostree", ["init", `--repo=${repo}`, "--mode=bare"]);
  } else {
    const rest = (await readdir(from)).filter((name) => name !== "objects");
    await ctx.run("cp", ["--archive", "--link", join(from, "objects"), repo]);
    await ctx.run("cp", ["--archive", ...rest.map((name) => join(from, name)), repo]);
  }
  await flush(bed, repo);
}

/** Flushes what the preparation wrote or removed, so that it does not slow the measured run. */
async function flush({ tree: { ctx } }: Bed, folder: string): Promise<void> {
  await ctx.run("sync", ["--file-system", folder]);
}

/** Fails unless the repository has an image, the pulled one where the program records which it is. */
async function requireImage(puller: Puller, repo: string, { bed, image }: Pull): Promise<void> {
  const { ctx } = bed.tree;
  const at = `--repo=${repo}`;
  const refs = await ctx.read("ostree", ["refs", at, "--list", puller.imageRefs]);
  const names = refs.split("\n").filter((name) => name !== "");
  if (names.length === 0) throw new BootcError(`${puller.name}: the pull left no image`);
  if (!puller.recordsManifest) return;
  const key = "--print-metadata-key=ostree.manifest-digest";
  for (const name of names) {
    const shown = await ctx.read("ostree", ["show", at, key, name]);
    if (shown.includes(image.manifestDigest)) return;
  }
  throw new BootcError(`${puller.name}: the repository does not have the image it was to pull`);
}
