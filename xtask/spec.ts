// `xtask spec`: fills in rpm/bootc.spec.ejs from the lockfile, git and the files of the checkout.
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { BootcError } from "../src/errors.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { type Checkout, readCheckout } from "./checkout/checkout.ts";
import { type PackageJson, readPackageJson } from "./checkout/package-json.ts";
import { formatChangelog, readChangelog } from "./checkout/rpm-changelog.ts";
import { formatLicense } from "./licenses/spdx.ts";
import { listBundled } from "./rpm/bundled.ts";
import { type PackageSources, packSources, readSourceNames } from "./rpm/sources.ts";
import { renderTemplate } from "./rpm/template.ts";
import { defineTask, type Tree } from "./task.ts";

/** Always 1: a change to the packaging alone is a commit, so it has a version of its own. */
export const RELEASE = "1";

const TEMPLATE = "rpm/bootc.spec.ejs";
const ROOTFS = "packaging/rootfs/";
const UNIT = /^\/usr\/lib\/systemd\/system\/([^/]+\.(?:service|timer|path|socket))$/;

/** Folders with additions to units of other packages, which do not own these folders. */
const DROP_INS = /^(\/usr\/lib\/systemd\/system\/[^/]+\.d)\//;

/** Folders that the package owns although it puts nothing into them. */
const FOLDERS = ["bound-images.d", "install", "kargs.d"].map((it) => `/usr/lib/bootc/${it}`);

export const task = defineTask({
  declare: (command) =>
    command
      .option("--allow-dirty", "include uncommitted changes, and mark the version")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask spec\n  npm run xtask -- spec --allow-dirty",
      ),
  async run(tree, options) {
    const checkout = await readCheckout(tree, { allowDirty: options.allowDirty === true });
    return await writeSpec(tree, checkout, await packSources(tree, checkout));
  },
});

/** Writes `target/bootc.spec` and returns its path. */
export async function writeSpec(
  tree: Tree,
  checkout: Checkout,
  sources: PackageSources,
): Promise<string> {
  const template = await readFile(join(tree.top, TEMPLATE), "utf8");
  const project = projectValues(await readPackageJson(tree.top));
  const values = {
    ...project,
    ...placesOf(await readSourceNames(tree, checkout)),
    version: checkout.version,
    release: RELEASE,
    archiveName: checkout.archiveName,
    license: formatLicense(project.license, sources.vendor.manifest),
    sourceFile: basename(sources.source),
    vendorFile: basename(sources.vendor.path),
    runtimeFile: basename(sources.runtime.path),
    runtimeFolder: sources.runtime.folder,
    bundled: listBundled(sources.vendor.manifest, sources.runtime.manifest, process.versions),
    changelog: formatChangelog(await readChangelog(tree, checkout), RELEASE),
  };
  const spec = renderTemplate(TEMPLATE, template, values);
  const path = "target/bootc.spec";
  await writeWhole(join(tree.top, path), (temp) => writeFile(temp, spec));
  return path;
}

/** What package.json says about the package. */
export interface ProjectValues {
  readonly license: string;
  readonly homepage: string;
  readonly buildRequires: readonly string[];
  readonly requires: readonly string[];
  readonly recommends: readonly string[];
}

function projectValues({ license, homepage, rpm = {} }: PackageJson): ProjectValues {
  if (license === undefined || homepage === undefined) {
    throw new BootcError("package.json lacks `license` or `homepage`");
  }
  const packagesOf = (programs: Readonly<Record<string, string>> = {}) =>
    [...new Set(Object.values(programs))].toSorted();
  return {
    license,
    homepage,
    buildRequires: rpm.buildRequires ?? [],
    requires: packagesOf(rpm.requires),
    recommends: packagesOf(rpm.recommends),
  };
}

/** The committed files that are installed unchanged, by their paths on the machine. */
export function placesOf(sourceNames: readonly string[]): {
  readonly rootfs: readonly string[];
  /** Those of the package `system-reinstall-bootc`. */
  readonly reinstall: readonly string[];
  readonly units: readonly string[];
  readonly folders: readonly string[];
} {
  const places = sourceNames
    .filter((it) => it.startsWith(ROOTFS))
    .map((it) => it.slice(ROOTFS.length - 1));
  const odd = places.find((it) => !/^\/usr\/(bin|lib|libexec|share)\/[\w@.+/-]+$/.test(it));
  if (odd !== undefined) {
    throw new BootcError(`\`${odd}\` is not a valid place for a file of the package`, {
      hint: "files in packaging/rootfs belong below usr/bin, usr/lib, usr/libexec or usr/share",
    });
  }
  const inMacros = (it: string) => it.replace(/^\/usr\//, "%{_prefix}/");
  const isReinstall = (it: string) => /\/system-reinstall-bootc(\/|$)/.test(it);
  return {
    rootfs: places.filter((it) => !isReinstall(it)).map(inMacros),
    reinstall: places.filter(isReinstall).map(inMacros),
    units: places.flatMap((it) => UNIT.exec(it)?.[1] ?? []),
    folders: [...FOLDERS, ...new Set(places.flatMap((it) => DROP_INS.exec(it)?.[1] ?? []))].map(
      inMacros,
    ),
  };
}
