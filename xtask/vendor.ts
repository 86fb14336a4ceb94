// `xtask vendor`: packs the locked dependencies that a build without network needs, filtered and
// reproducibly.
import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { Option } from "../src/cli/commander.ts";
import { declared } from "../src/cli/options.ts";
import { BootcError, doing } from "../src/errors.ts";
import { ifMissing } from "../src/system/files.ts";
import {
  type ArchiveEntry,
  type ArchiveFormat,
  describeWriter,
  writeArchive,
} from "./archive/archive.ts";
import { sha256Of } from "./archive/digest.ts";
import { makeOnce } from "./archive/make-once.ts";
import { writeWhole } from "./archive/write-whole.ts";
import { type Checkout, readCheckout } from "./checkout/checkout.ts";
import { readGit } from "./checkout/git.ts";
import { defineTask, type Tree } from "./task.ts";
import { assembleVendored, type VendoredSet } from "./vendor/assemble.ts";
import { decideClosure } from "./vendor/closure.ts";
import {
  decideFilter,
  KEEP_DEP_KINDS,
  parseExclusion,
  parseVendorConfig,
  type VendorConfig,
  type VendorFilter,
} from "./vendor/config.ts";
import { type Lockfile, type Project, readProject } from "./vendor/lockfile.ts";
import type { VendorManifest } from "./vendor/manifest.ts";
import { formatPlatform } from "./vendor/platform.ts";
import { describeDropped, describeKept } from "./vendor/report.ts";

const FORMATS = ["dir", "tar", "tar.gz", "tar.zst"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .argument(
        "[out]",
        "file or folder to write; target/NAME-vendor.tar.zst, target/vendor and so on by default",
      )
      .option("--manifest-path <file>", "package.json of another project, or its folder")
      .option(
        "--platform <pattern>",
        "keep what runs on these: linux-x64-glibc, linux-*-*",
        collect,
      )
      .option(
        "--tier <number>",
        "keep what runs on the platforms that Node supports at tier 1, or 1 and 2",
      )
      .addOption(
        new Option("--keep-dep-kinds <kinds>", "kinds of dependencies to keep").choices(
          KEEP_DEP_KINDS,
        ),
      )
      .option(
        "--build-dependency <name>",
        "treat this development dependency as one that builds need",
        collect,
      )
      .option(
        "--exclude-package <pattern>",
        "leave out these packages where they are optional",
        collect,
      )
      .option("--exclude-package-path <name#glob>", "leave these files out of a package", collect)
      .addOption(
        new Option("--format <format>", "kind of result").choices(FORMATS).default("tar.zst"),
      )
      .option("--prefix <folder>", "top folder in an archive", "vendor")
      .option("--dry-run", "print what would be kept and dropped; fetch and write nothing")
      .option("--offline", "fetch nothing, and use only what was fetched before")
      .option("--json", "print the answer as JSON")
      .addHelpText("after", HELP),
  run: (tree, options, words) => runVendor(tree, declared(options), words),
});

const HELP = `
The filters are those of the key \`vendorFilter\` in package.json, unless the command line has a filter:
then the key is ignored.

Examples:
  npm run xtask vendor
  npm run xtask -- vendor --dry-run
  npm run xtask -- vendor --manifest-path ../tool/package.json --platform 'linux-*-glibc' \\
    --keep-dep-kinds no-dev --format dir /tmp/vendored`;

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

interface VendorOptions {
  readonly manifestPath?: string;
  readonly platform?: readonly string[];
  readonly tier?: string;
  readonly keepDepKinds?: string;
  readonly buildDependency?: readonly string[];
  readonly excludePackage?: readonly string[];
  readonly excludePackagePath?: readonly string[];
  readonly format: "dir" | ArchiveFormat;
  readonly prefix: string;
  readonly dryRun?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

async function runVendor(
  tree: Tree,
  options: VendorOptions,
  [asked]: readonly string[],
): Promise<string | undefined> {
  const folder = await projectFolder(tree, options);
  const { project, filter } = await readFiltered(tree, folder, configOf(options));
  if (options.dryRun) return dryRun(tree, project, filter, options);
  const out = asked === undefined ? await defaultOut(tree, project, options) : resolve(asked);
  requireFree(out, options.format);
  const mtimeEpoch = await readEpoch(tree, folder, options.format);
  const set = await assembleVendored(tree, project, {
    filter,
    mtimeEpoch,
    isOffline: options.offline === true,
  });
  report(tree, set, filter);
  if (options.format === "dir") await writeFolder(out, set.entries);
  else
    await placeArchive(tree, set, {
      out,
      mtimeEpoch,
      prefix: options.prefix,
      format: options.format,
    });
  const path = relative(process.cwd(), out);
  if (!options.json) return path;
  return JSON.stringify({ path, manifest: set.manifest, dropped: set.closure.dropped });
}

async function projectFolder({ top }: Tree, { manifestPath }: VendorOptions): Promise<string> {
  if (manifestPath === undefined) return top;
  const path = resolve(manifestPath);
  const found = await stat(path).catch(ifMissing(undefined));
  if (found?.isDirectory()) return path;
  if (found !== undefined && basename(path) === "package.json") return dirname(path);
  const problem =
    found === undefined ? `there is no \`${path}\`` : `\`${path}\` is not a package.json`;
  throw new BootcError(problem, {
    kind: "usage",
    hint: "name a package.json, or the folder it is in",
  });
}

/** The archive for the package, and its contents. */
export interface PackedVendor {
  /** Absolute path of `target/bootc-<git version>-vendor.tar.zst`. */
  readonly path: string;
  readonly manifest: VendorManifest;
}

/** Vendors this checkout by the filters in package.json. The top folder of the archive is `vendor`. */
export async function packVendor(tree: Tree, checkout: Checkout): Promise<PackedVendor> {
  const { project, filter } = await readFiltered(tree, tree.top, undefined);
  const mtimeEpoch = checkout.commitEpoch;
  const set = await doing("vendoring dependencies", () =>
    assembleVendored(tree, project, { filter, mtimeEpoch, isOffline: false }),
  );
  const path = join(tree.top, "target", `${checkout.archiveName}-vendor.tar.zst`);
  await placeArchive(tree, set, { out: path, mtimeEpoch, prefix: "vendor", format: "tar.zst" });
  return { path, manifest: set.manifest };
}

/** The set that `packVendor` packs. */
export async function readVendoredSet(
  tree: Tree,
): Promise<{ readonly set: VendoredSet; readonly lock: Lockfile }> {
  const { project, filter } = await readFiltered(tree, tree.top, undefined);
  const set = await assembleVendored(tree, project, { filter, mtimeEpoch: 0, isOffline: false });
  return { set, lock: project.lock };
}

interface Filtered {
  readonly project: Project;
  readonly filter: VendorFilter;
}

/** A filter on the command line replaces the whole filter in package.json. */
async function readFiltered(
  { ctx }: Tree,
  folder: string,
  fromOptions: VendorConfig | undefined,
): Promise<Filtered> {
  const project = await readProject(folder);
  if (fromOptions !== undefined) return { project, filter: decideFilter(fromOptions) };
  const { config, unknown } = parseVendorConfig(project.manifest.vendorFilter);
  for (const key of unknown) ctx.note(`warning: \`vendorFilter.${key}\` is unknown and ignored`);
  return { project, filter: decideFilter(config) };
}

function configOf(options: VendorOptions): VendorConfig | undefined {
  const config = {
    ...(options.platform === undefined ? {} : { platforms: options.platform }),
    ...(options.tier === undefined ? {} : { tier: parseTier(options.tier) }),
    ...(options.keepDepKinds === undefined ? {} : { keepDepKinds: options.keepDepKinds }),
    ...(options.buildDependency === undefined
      ? {}
      : { buildDependencies: options.buildDependency }),
    ...(options.excludePackage === undefined ? {} : { excludePackages: options.excludePackage }),
    ...(options.excludePackagePath === undefined
      ? {}
      : { excludePackagePaths: options.excludePackagePath.map(parseExclusion) }),
  };
  return Object.keys(config).length === 0 ? undefined : config;
}

function parseTier(text: string): number {
  if (text === "1" || text === "2") return Number(text);
  throw new BootcError(`there is no tier \`${text}\``, { kind: "usage", hint: "use 1 or 2" });
}

function dryRun(
  { ctx }: Tree,
  project: Project,
  filter: VendorFilter,
  options: VendorOptions,
): string | undefined {
  const closure = decideClosure(project.lock, filter);
  for (const line of describeDropped(closure, ctx.isVerbose)) ctx.note(line);
  const kept = closure.kept.map((it) => ({
    name: it.name,
    version: it.entry.version,
    kind: it.kind,
    path: it.place,
  }));
  if (options.json) return JSON.stringify({ path: null, kept, dropped: closure.dropped });
  return kept.map((it) => `${it.kind} ${it.name}@${it.version}`).join("\n") || undefined;
}

async function defaultOut(
  tree: Tree,
  project: Project,
  { format }: VendorOptions,
): Promise<string> {
  const target = join(tree.top, "target");
  if (format === "dir") return join(target, "vendor");
  if (project.folder !== tree.top) return join(target, `vendor.${format}`);
  const { archiveName } = await readCheckout(tree, { allowDirty: true });
  return join(target, `${archiveName}-vendor.${format}`);
}

function requireFree(out: string, format: VendorOptions["format"]): void {
  if (format !== "dir" || !existsSync(out)) return;
  throw new BootcError(`\`${out}\` already exists`, { hint: "remove it, or name another folder" });
}

/** The time in every tarball that npm packs: 1985-10-26. */
const TIMELESS_EPOCH = 499_162_500;

/**
 * The time in the archive: $SOURCE_DATE_EPOCH, or the time of the commit. A folder does not need one, because
 * only repacked tarballs in it have a time.
 */
async function readEpoch(
  tree: Tree,
  folder: string,
  format: VendorOptions["format"],
): Promise<number> {
  const given = tree.ctx.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && given !== "") {
    if (/^\d+$/.test(given)) return Number(given);
    throw new BootcError(`SOURCE_DATE_EPOCH is not a number of seconds: \`${given}\``, {
      kind: "usage",
    });
  }
  let reason: unknown;
  try {
    const text = await readGit({ ...tree, top: folder }, ["log", "--max-count=1", "--format=%ct"]);
    if (/^\d+$/.test(text)) return Number(text);
  } catch (cause) {
    tree.ctx.signal.throwIfAborted();
    reason = cause;
  }
  if (format === "dir") return TIMELESS_EPOCH;
  throw noClock(folder, reason);
}

function noClock(folder: string, cause: unknown): BootcError {
  return new BootcError(`\`${folder}\` has no commit to take the archive's time from`, {
    cause,
    hint: "set SOURCE_DATE_EPOCH to a number of seconds since 1970",
  });
}

function report({ ctx }: Tree, set: VendoredSet, filter: VendorFilter): void {
  const platforms = filter.platforms.map(formatPlatform).join(", ") || "all";
  ctx.note(`platforms: ${platforms}`);
  ctx.note(describeKept(set.manifest));
  for (const line of describeDropped(set.closure, ctx.isVerbose)) ctx.note(line);
  for (const { name, version, filteredFiles, filteredBytes } of set.manifest.packages)
    if (filteredFiles.length > 0)
      ctx.note(
        `left ${filteredFiles.length} files, ${filteredBytes} bytes, out of ${name}@${version}`,
      );
  for (const { name, exclude } of set.unusedExclusions)
    ctx.note(`warning: \`${name}#${exclude}\` matches no file`);
}

interface Placing {
  readonly out: string;
  readonly mtimeEpoch: number;
  readonly prefix: string;
  readonly format: ArchiveFormat;
}

/** Compresses the same content only once, then copies the archive. */
async function placeArchive(tree: Tree, set: VendoredSet, placing: Placing): Promise<void> {
  const { out, prefix, format, mtimeEpoch } = placing;
  const entries = set.entries.map((it) => ({ ...it, path: join(prefix, it.path) }));
  const inputs = [
    describeWriter(),
    format,
    String(mtimeEpoch),
    ...set.entries.map((it) => digestEntry(it, set.manifest)),
  ];
  const made = await makeOnce(
    tree,
    { name: "vendor", suffix: `.${format}`, inputs: [prefix, ...inputs] },
    (temp) => writeArchive(temp, entries, { format, mtimeEpoch, signal: tree.ctx.signal }),
  );
  await writeWhole(out, (temp) => copyFile(made, temp));
}

function digestEntry({ path, content }: ArchiveEntry, manifest: VendorManifest): string {
  if (content.kind === "bytes") return `${path} ${sha256Of(content.bytes)}`;
  return `${path} ${manifest.packages.find((it) => it.file === path)?.integrity}`;
}

async function writeFolder(out: string, entries: readonly ArchiveEntry[]): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const temp = await mkdtemp(join(dirname(out), `.${basename(out)}.`));
  try {
    for (const { path, content } of entries) {
      const to = join(temp, path);
      await mkdir(dirname(to), { recursive: true });
      if (content.kind === "file") await cp(content.from, to);
      if (content.kind === "bytes") await writeFile(to, content.bytes);
    }
    await chmod(temp, 0o755); // mkdtemp makes folders that only their owner may read
    await rename(temp, out);
  } catch (error) {
    await rm(temp, { recursive: true, force: true });
    throw error;
  }
}
