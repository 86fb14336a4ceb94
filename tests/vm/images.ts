// The images that the machine runs: a base from Debian packages, bootc on top, and variants derived from that.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "./cache.ts";
import { attempt, sh } from "./shell.ts";

const RECIPE = join(import.meta.dirname, "base/make-rootfs.sh");

/** The releases of Debian that machines are made of. */
export type Suite = "trixie" | "sid";

interface RootfsOptions {
  readonly suite: Suite;
  /** Packages that it has in addition. */
  readonly packages: readonly string[];
}

/** The root file system as a tar, made once per recipe. */
export async function makeRootfs({ suite, packages }: RootfsOptions): Promise<string> {
  const recipe = await recipeOf({ suite, packages });
  const dir = await cached("rootfs", recipe, async (temporary) => {
    const root = join(temporary, "rootfs");
    await sh("nice", ["bash", RECIPE, root, suite, ...packages], { timeoutMs: 1_800_000 });
    const tar = [
      "--create",
      "--numeric-owner",
      "--xattrs",
      "--xattrs-include=*",
      "--one-file-system",
    ];
    await sh("nice", [
      "tar",
      ...tar,
      "--file",
      join(temporary, "rootfs.tar"),
      "--directory",
      root,
      ".",
    ]);
    await rm(root, { recursive: true, force: true });
  });
  return join(dir, "rootfs.tar");
}

async function recipeOf(options: RootfsOptions): Promise<readonly (string | Uint8Array)[]> {
  return [await readFile(RECIPE), options.suite, ...options.packages];
}

/** Builds the base image unless the container storage has it; returns its name there. */
export async function buildBaseImage(options: RootfsOptions): Promise<string> {
  const name = `localhost/bootc-test-base:${hashOf(await recipeOf(options))}`;
  if ((await attempt("buildah", ["inspect", "--type", "image", name])).status === 0) return name;
  const tar = await makeRootfs(options);
  await buildImage({
    name,
    context: join(tar, ".."),
    containerfile: [
      "FROM scratch",
      "ADD rootfs.tar /",
      "LABEL containers.bootc=1 ostree.bootable=1",
      'CMD ["/sbin/init"]',
    ],
  });
  return name;
}

export interface ImageBuild {
  readonly name: string;
  readonly containerfile: readonly string[];
  /** The directory COPY and ADD take files from. */
  readonly context: string;
}

export async function buildImage({ name, containerfile, context }: ImageBuild): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-vm-build-"));
  const file = join(dir, "Containerfile");
  await writeFile(file, containerfile.map((it) => `${it}\n`).join(""));
  const how = ["--isolation", "chroot", "--tag", name, "--file", file];
  await sh("nice", ["buildah", "build", ...how, context]);
  await rm(dir, { recursive: true });
}

/** Files of an image by path; text alone, mode 644. */
export type Files = Readonly<Record<string, string>>;

/** Writes `files` below `dir` for a `COPY`. */
export async function writeContext(dir: string, files: Files): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), text);
  }
}
