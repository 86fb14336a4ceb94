// The configuration of vendoring: the key `vendorFilter` in package.json, or the command line instead.
import { isAbsolute } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { type DependencyKind, type Filter, KINDS } from "./closure.ts";
import { decidePlatforms, formatPlatform, type NodePlatform, platformsOfTier } from "./platform.ts";

/** Files to leave out of a package; the name `*` means every package. */
export interface PathExclusion {
  readonly name: string;
  /** Relative to the package; a folder means everything in it. */
  readonly exclude: string;
}

/** `vendorFilter` as it is written. */
export interface VendorConfig {
  readonly platforms?: readonly string[];
  readonly tier?: number;
  readonly keepDepKinds?: string;
  readonly buildDependencies?: readonly string[];
  readonly excludePackages?: readonly string[];
  readonly excludePackagePaths?: readonly PathExclusion[];
}

/** `vendorFilter` as it is applied. */
export interface VendorFilter extends Filter {
  readonly keepDepKinds: string;
  readonly excludePackagePaths: readonly PathExclusion[];
}

const KEYS: readonly string[] = [
  "platforms",
  "tier",
  "keepDepKinds",
  "buildDependencies",
  "excludePackages",
  "excludePackagePaths",
];

export const KEEP_DEP_KINDS = [
  "all",
  "normal",
  "build",
  "dev",
  "no-normal",
  "no-build",
  "no-dev",
] as const;

export interface ParsedConfig {
  readonly config: VendorConfig;
  /** Unknown keys. They only cause a warning, because a newer version may know them. */
  readonly unknown: readonly string[];
}

/** Fails and names the key if a value has the wrong form. */
export function parseVendorConfig(value: unknown): ParsedConfig {
  if (value === undefined) return { config: {}, unknown: [] };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw shapeError("vendorFilter", "an object");
  const config = value as Record<string, unknown>;
  for (const key of ["platforms", "buildDependencies", "excludePackages"])
    if (config[key] !== undefined && !isStrings(config[key]))
      throw shapeError(`vendorFilter.${key}`, "a list of strings");
  if (config.tier !== undefined && config.tier !== 1 && config.tier !== 2)
    throw shapeError("vendorFilter.tier", "1 or 2");
  if (config.keepDepKinds !== undefined && typeof config.keepDepKinds !== "string")
    throw shapeError("vendorFilter.keepDepKinds", `one of ${KEEP_DEP_KINDS.join(", ")}`);
  const paths = config.excludePackagePaths ?? [];
  if (!Array.isArray(paths) || !paths.every(isExclusion))
    throw shapeError("vendorFilter.excludePackagePaths", 'a list of {"name", "exclude"}');
  return { config, unknown: Object.keys(config).filter((it) => !KEYS.includes(it)) };
}

function shapeError(key: string, want: string): BootcError {
  return new BootcError(`\`${key}\` of package.json is not ${want}`, { kind: "usage" });
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((it) => typeof it === "string");
}

function isExclusion(value: unknown): boolean {
  const it = value as Partial<PathExclusion> | null;
  return typeof it?.name === "string" && typeof it.exclude === "string";
}

/** Parses `NAME#GLOB` from the command line. */
export function parseExclusion(text: string): PathExclusion {
  const at = text.indexOf("#");
  if (at > 0 && at < text.length - 1)
    return { name: text.slice(0, at), exclude: text.slice(at + 1) };
  throw new BootcError(`\`${text}\` is not NAME#GLOB`, {
    kind: "usage",
    hint: "for example: yaml#browser, or *#**/*.map",
  });
}

/** Applies the defaults. Fails on unknown names of kinds and platforms. */
export function decideFilter(config: VendorConfig): VendorFilter {
  const keepDepKinds = config.keepDepKinds ?? "all";
  const excludePackagePaths = config.excludePackagePaths ?? [];
  for (const it of excludePackagePaths) requireRelativeGlob(it);
  return {
    keepDepKinds,
    kinds: decideKinds(keepDepKinds),
    platforms: platformsOf(config),
    buildDependencies: config.buildDependencies ?? [],
    excludePackages: config.excludePackages ?? [],
    excludePackagePaths,
  };
}

function decideKinds(keep: string): readonly DependencyKind[] {
  if (!(KEEP_DEP_KINDS as readonly string[]).includes(keep)) {
    throw new BootcError(`\`${keep}\` is not a kind of dependency`, {
      kind: "usage",
      hint: `choose from ${KEEP_DEP_KINDS.join(", ")}`,
    });
  }
  if (keep === "all") return KINDS;
  return KINDS.filter((it) => (keep.startsWith("no-") ? keep !== `no-${it}` : keep === it));
}

function platformsOf({ platforms = [], tier }: VendorConfig): readonly NodePlatform[] {
  const byTier = tier === undefined ? [] : platformsOfTier(tier === 1 ? 1 : 2);
  return decidePlatforms([...platforms, ...byTier.map(formatPlatform)]);
}

function requireRelativeGlob({ name, exclude }: PathExclusion): void {
  if (!isAbsolute(exclude) && !exclude.split("/").includes("..") && exclude !== "") return;
  throw new BootcError(`\`${name}#${exclude}\` leads out of the package`, {
    kind: "usage",
    hint: "write a path relative to the package's folder",
  });
}
