// `xtask package-srpm`: makes one file with everything that COPR needs to build without network.
import { chmod, copyFile, readdir, utimes } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { declared } from "../src/cli/options.ts";
import { BootcError } from "../src/errors.ts";
import { sha256OfFile } from "./archive/digest.ts";
import { makeOnce } from "./archive/make-once.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { type Checkout, readCheckout } from "./checkout/checkout.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { explainRpmbuild, formatDefinitions, NEUTRAL, withScratch } from "./rpm/rpmbuild.ts";
import { packSources } from "./rpm/sources.ts";
import { BUILD_PROGRAMS } from "./setup.ts";
import { RELEASE, writeSpec } from "./spec.ts";
import { defineTask, type Tree } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--allow-dirty", "include uncommitted changes, and mark the version")
      .option("--allow-untagged", "build even if this clone lacks the tags of releases")
      .option("--outdir <folder>", "folder to write to instead of target/")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask package-srpm\n  node xtask/run.cjs package-srpm --outdir /tmp",
      ),
  async run(tree, options) {
    const checkout = await readPackagedCheckout(tree, declared(options));
    const outdir = options.outdir === undefined ? "target" : resolve(options.outdir);
    return await packageSrpm(tree, checkout, outdir);
  },
});

/** Options of the tasks that make packages. */
export interface PackagedFlags {
  readonly allowDirty?: boolean;
  readonly allowUntagged?: boolean;
}

export async function readPackagedCheckout(tree: Tree, options: PackagedFlags): Promise<Checkout> {
  return await readCheckout(tree, {
    allowDirty: options.allowDirty === true,
    untagged: options.allowUntagged === true ? "allow" : "refuse",
  });
}

/** Makes the source package in `outdir` (relative to the checkout, or absolute) and returns its path. */
export async function packageSrpm(
  tree: Tree,
  checkout: Checkout,
  outdir = "target",
): Promise<string> {
  await ensurePrograms(tree, BUILD_PROGRAMS);
  const sources = await packSources(tree, checkout);
  const files = [sources.source, sources.vendor.path, sources.runtime.path];
  const spec = await writeSpec(tree, checkout, sources);
  const paths = [...files, spec].map((it) => join(tree.top, it));
  const rpm = await tree.ctx.read("rpmbuild", ["--version"]);
  const inputs = [
    ...(await Promise.all(paths.map(sha256OfFile))),
    String(checkout.commitEpoch),
    rpm,
  ];
  const name = `bootc-${checkout.version}-${RELEASE}`;
  const made = await makeOnce(tree, { name, suffix: ".src.rpm", inputs }, async (temp) => {
    await withScratch(tree, "srpm", async (scratch) => {
      // The cache may be on another file system.
      await copyFile(await buildSrpm(tree, { checkout, paths, scratch }), temp);
    });
  });
  const path = join(outdir, `${name}.src.rpm`);
  await writeWhole(resolve(tree.top, path), (temp) => copyFile(made, temp));
  return path;
}

interface SrpmWork {
  readonly checkout: Checkout;
  /** The sources, then the spec; absolute. */
  readonly paths: readonly string[];
  /** An empty folder. */
  readonly scratch: string;
}

async function buildSrpm({ ctx }: Tree, { checkout, paths, scratch }: SrpmWork): Promise<string> {
  // The package records mode and time of each source.
  for (const path of paths) {
    const copy = join(scratch, basename(path));
    await copyFile(path, copy);
    await chmod(copy, 0o644);
    await utimes(copy, checkout.commitEpoch, checkout.commitEpoch);
  }
  const definitions = {
    ...NEUTRAL,
    // They are relative because the package records its spec with all macros expanded, including these.
    ...Object.fromEntries(FOLDERS.map((it) => [it, "."])),
    // The sources are compressed already. Doing it again takes a minute and ties the bytes to a compressor.
    _source_payload: "w.ufdio",
    dist: "%{nil}",
  };
  const spec = basename(paths.at(-1) ?? "");
  const args = ["-bs", "--nodeps", ...formatDefinitions(definitions), spec];
  // A different home folder keeps ~/.rpmmacros out.
  const env = { HOME: scratch, SOURCE_DATE_EPOCH: String(checkout.commitEpoch) };
  await explainRpmbuild("making the source package", () =>
    ctx.read("rpmbuild", args, { cwd: scratch, env }),
  );
  const made = (await readdir(scratch)).filter((it) => it.endsWith(".src.rpm"));
  if (made[0] !== undefined && made.length === 1) return join(scratch, made[0]);
  throw new BootcError(`rpmbuild made ${made.length} source packages instead of one`);
}

const FOLDERS = ["_topdir", "_sourcedir", "_specdir", "_srcrpmdir", "_builddir", "_rpmdir"];
