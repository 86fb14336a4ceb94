// `xtask release --build`: makes all files of a release in one folder, with checksums and a manifest.
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { doing } from "../../src/errors.ts";
import { writeWhole } from "../archive/write-whole.ts";
import { build } from "../build.ts";
import { type Checkout, readCheckout } from "../checkout/checkout.ts";
import { readPackageJson } from "../checkout/package-json.ts";
import { packageSrpm } from "../package-srpm.ts";
import { type PackageSources, packSources } from "../rpm/sources.ts";
import { ARCHITECTURES, type Architecture } from "../runtime/locked.ts";
import { type BillFormat, makeBill } from "../sbom.ts";
import type { Tree } from "../task.ts";
import {
  assetName,
  describeFile,
  MANIFEST,
  RELEASE_FOLDER,
  type ReleaseFile,
  writeManifest,
} from "./manifest.ts";

/** A file that is still to be made, by calling `make` with its path. */
interface Ingredient {
  readonly name: string;
  readonly about: string;
  readonly make: (path: string) => Promise<void>;
}

/** The names that `uname -m` prints, and by which people look for downloads. */
const MACHINE: Readonly<Record<Architecture, string>> = { x64: "x86_64", arm64: "aarch64" };
/** 19 takes six times as long and saves a twentieth. */
const LEVEL = 12;

/** Builds what is committed and returns the folder, relative to the checkout. */
export async function buildRelease(tree: Tree): Promise<string> {
  const checkout = await readCheckout(tree, { untagged: "refuse" });
  const { version } = await readPackageJson(tree.top);
  const folder = join(tree.top, RELEASE_FOLDER);
  await mkdir(folder, { recursive: true });
  // Without the manifest, the folder cannot be published, whatever an interruption leaves in it.
  await rm(join(folder, MANIFEST), { force: true });
  const sources = await packSources(tree, checkout);
  const files: ReleaseFile[] = [];
  for (const it of ingredientsOf(tree, { checkout, sources })) {
    tree.ctx.note(`making ${it.name}`);
    await doing(`making ${it.name}`, () => it.make(join(folder, it.name)));
    files.push(await describeFile(folder, it));
  }
  await removeOthers(folder, new Set(files.map((it) => it.name)));
  const { commit, version: builtVersion } = checkout;
  await writeManifest(folder, { formatVersion: 1, version, builtVersion, commit, files });
  return RELEASE_FOLDER;
}

interface Made {
  readonly checkout: Checkout;
  readonly sources: PackageSources;
}

function ingredientsOf(tree: Tree, { checkout, sources }: Made): readonly Ingredient[] {
  const copyOf = (path: string, about: string): Ingredient => ({
    name: assetName(basename(path)),
    about,
    make: (to) => copy(resolve(tree.top, path), to),
  });
  const name = assetName(checkout.archiveName);
  return [
    copyOf(sources.source, "source code"),
    copyOf(sources.vendor.path, "the dependencies, for builds without network"),
    copyOf(sources.runtime.path, "the Node runtimes, for builds without network"),
    {
      name: assetName(`${name}.src.rpm`),
      about: "source RPM",
      make: async (to) => copy(resolve(tree.top, await packageSrpm(tree, checkout)), to),
    },
    ...ARCHITECTURES.map((architecture) => ({
      name: `${name}-linux-${MACHINE[architecture]}.zst`,
      about: `the executable for ${MACHINE[architecture]}, compressed`,
      make: (to: string) => makeExecutable(tree, { architecture, version: checkout.version, to }),
    })),
    {
      name: `${name}.cdx.json`,
      about: "software bill of materials, CycloneDX 1.6",
      make: (to) => writeBill(tree, "cyclonedx", to),
    },
    {
      name: `${name}.spdx.json`,
      about: "software bill of materials, SPDX 2.3",
      make: (to) => writeBill(tree, "spdx", to),
    },
  ];
}

async function copy(from: string, to: string): Promise<void> {
  await writeWhole(to, (temp) => copyFile(from, temp));
}

async function writeBill(tree: Tree, format: BillFormat, out: string): Promise<void> {
  await doing(`\`xtask sbom --format ${format}\``, () => makeBill(tree, { format, out }));
}

interface Executable {
  readonly architecture: Architecture;
  readonly version: string;
  /** The path of the compressed executable. */
  readonly to: string;
}

async function makeExecutable(
  tree: Tree,
  { architecture, version, to }: Executable,
): Promise<void> {
  const out = join(tree.top, "target", "release-build", `bootc-${architecture}`);
  await build(tree, { architecture, engine: "injector", version, out });
  const compress = createZstdCompress({
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  await writeWhole(to, async (temp) => {
    const { signal } = tree.ctx;
    await pipeline(createReadStream(out), compress, createWriteStream(temp), { signal });
  });
  await rm(out);
}

/** Removes files that are left from an earlier build of another commit. */
async function removeOthers(folder: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!names.has(name)) await rm(join(folder, name), { recursive: true });
  }
}
