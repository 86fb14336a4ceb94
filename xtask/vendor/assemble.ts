// Assembles the files of a vendored set, and its manifest, from a lockfile and a filter.
import { readFile, stat } from "node:fs/promises";
import type { ArchiveEntry } from "../archive/archive.ts";
import { fetchPackages, type PackageId, requireIntegrity } from "../npm/fetch.ts";
import type { Tree } from "../task.ts";
import { type Closure, decideClosure, type KeptPackage } from "./closure.ts";
import type { PathExclusion, VendorFilter } from "./config.ts";
import { type PackageContents, readContents } from "./contents.ts";
import type { Project } from "./lockfile.ts";
import { formatVendorManifest, type VendoredPackage, type VendorManifest } from "./manifest.ts";
import { formatPlatform } from "./platform.ts";
import { pruneLock, pruneManifest } from "./prune.ts";

export interface VendoredSet {
  readonly closure: Closure;
  readonly manifest: VendorManifest;
  readonly entries: readonly ArchiveEntry[];
  /** Exclusions that matched no file of any package. */
  readonly unusedExclusions: readonly PathExclusion[];
}

export interface AssembleOptions {
  readonly filter: VendorFilter;
  /** The time of files in repacked tarballs, in seconds since 1970. */
  readonly mtimeEpoch: number;
  readonly isOffline: boolean;
}

/** A tarball, whose package may occur several times in the tree. */
interface Tarball {
  readonly file: string;
  readonly packages: readonly KeptPackage[];
}

/** Fetches what `options.filter` keeps of the project. Fails as `decideClosure` and `fetchPackage` do. */
export async function assembleVendored(
  tree: Tree,
  project: Project,
  options: AssembleOptions,
): Promise<VendoredSet> {
  const closure = decideClosure(project.lock, options.filter);
  const tarballs = groupByTarball(closure.kept);
  const paths = await fetchPackages(
    tree,
    tarballs.map(({ packages: [it] }) => packageIdOf(it)),
    { isOffline: options.isOffline, folder: project.folder },
  );
  const parts: Part[] = [];
  for (const [i, tarball] of tarballs.entries())
    parts.push(await readPart(tarball, paths[i] ?? "", options));
  const manifest = describeSet(project, options.filter, parts);
  const used = new Set(parts.flatMap((it) => it.used));
  return {
    closure,
    manifest,
    entries: [
      ...formatRoots(project, closure, parts, manifest),
      ...parts.flatMap((it) => it.entries),
    ],
    unusedExclusions: options.filter.excludePackagePaths.filter((it) => !used.has(it)),
  };
}

function groupByTarball(kept: readonly KeptPackage[]): readonly Tarball[] {
  const groups = Map.groupBy(kept, (it) => `vendor/${it.name}-${it.entry.version}.tgz`);
  return [...groups].map(([file, packages]) => ({ file, packages }));
}

function packageIdOf(kept: KeptPackage | undefined): PackageId {
  const { version = "", integrity = "" } = kept?.entry ?? {};
  return { name: kept?.name ?? "", version, integrity };
}

interface Part {
  readonly vendored: VendoredPackage;
  readonly entries: readonly ArchiveEntry[];
  readonly used: readonly PathExclusion[];
}

async function readPart(
  { file, packages }: Tarball,
  path: string,
  { filter, mtimeEpoch }: AssembleOptions,
): Promise<Part> {
  const [first] = packages;
  if (first === undefined) throw new Error("unreachable: a tarball of no package");
  const bytes = await readFile(path);
  const contents = readContents(first.name, bytes, filter.excludePackagePaths, mtimeEpoch);
  const texts = contents.licenseTexts.map((it) => ({
    path: `licenses/${first.name}-${first.entry.version}/${it.name}`,
    content: { kind: "bytes", bytes: it.bytes } as const,
  }));
  const tarball: ArchiveEntry["content"] =
    contents.repacked === undefined
      ? { kind: "file", from: path }
      : { kind: "bytes", bytes: contents.repacked.bytes };
  const sizeBytes = contents.repacked?.bytes.length ?? (await stat(path)).size;
  const licenseFiles = texts.map((it) => it.path);
  return {
    vendored: describePackage(packages, contents, {
      file,
      sizeBytes,
      licenseFiles,
      // Of all digests in the lockfile, the one that matched.
      integrity: requireIntegrity(packageIdOf(first), bytes),
    }),
    entries: [{ path: file, content: tarball }, ...texts],
    used: contents.used,
  };
}

function describePackage(
  packages: readonly KeptPackage[],
  contents: PackageContents,
  made: Pick<VendoredPackage, "file" | "sizeBytes" | "licenseFiles" | "integrity">,
): VendoredPackage {
  const [first] = packages;
  const { name = "", entry = {} } = first ?? {};
  const { os, cpu, libc } = entry;
  return {
    name,
    version: entry.version ?? "",
    kind:
      (["normal", "build"] as const).find((kind) => packages.some((it) => it.kind === kind)) ??
      "dev",
    paths: packages.map((it) => it.place),
    file: made.file,
    sizeBytes: made.sizeBytes,
    integrity: contents.repacked?.integrity ?? made.integrity,
    ...(contents.repacked === undefined ? {} : { originalIntegrity: made.integrity }),
    filteredFiles: contents.filteredFiles,
    filteredBytes: contents.filteredBytes,
    license: contents.license,
    licenseFiles: made.licenseFiles,
    ...(os === undefined ? {} : { os }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(libc === undefined ? {} : { libc }),
  };
}

function describeSet(
  { manifest, lock }: Project,
  filter: VendorFilter,
  parts: readonly Part[],
): VendorManifest {
  return {
    formatVersion: 1,
    name: manifest.name ?? lock.name ?? "",
    version: manifest.version ?? lock.version ?? "",
    platforms: filter.platforms.map(formatPlatform),
    keepDepKinds: filter.keepDepKinds,
    packages: parts
      .map((it) => it.vendored)
      .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version)),
  };
}

/** Compares code units, because the order of a language depends on the machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function formatRoots(
  project: Project,
  closure: Closure,
  parts: readonly Part[],
  manifest: VendorManifest,
): readonly ArchiveEntry[] {
  const tarballs = new Map(
    parts.flatMap(({ vendored: it }) => it.paths.map((place) => [place, it] as const)),
  );
  const json = (value: unknown) => Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
  const file = (path: string, bytes: Buffer): ArchiveEntry => ({
    path,
    content: { kind: "bytes", bytes },
  });
  return [
    file("package.json", json(pruneManifest(project.manifest, closure))),
    file("package-lock.json", json(pruneLock(project.lock, closure, tarballs))),
    file("manifest.json", Buffer.from(formatVendorManifest(manifest))),
  ];
}
