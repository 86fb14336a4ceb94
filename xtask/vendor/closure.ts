// Decides which packages of a lockfile a build needs, and why the others are left out.
import { matchesGlob } from "node:path";
import { BootcError } from "../../src/errors.ts";
import {
  effectiveRanges,
  type LockEntry,
  type Lockfile,
  type Ranges,
  registryName,
  resolvePlace,
} from "./lockfile.ts";
import { type NodePlatform, runsOn } from "./platform.ts";

/** What needs a package: the running product, a build, or only development. */
export type DependencyKind = "normal" | "build" | "dev";

export const KINDS: readonly DependencyKind[] = ["normal", "build", "dev"];

export interface Filter {
  readonly kinds: readonly DependencyKind[];
  /** Names of development dependencies that a build needs. */
  readonly buildDependencies: readonly string[];
  /** Empty means that packages for every platform are kept. */
  readonly platforms: readonly NodePlatform[];
  /** Patterns for the names of packages to leave out wherever they are optional. */
  readonly excludePackages: readonly string[];
}

export interface KeptPackage {
  readonly place: string;
  readonly name: string;
  readonly kind: DependencyKind;
  readonly entry: LockEntry;
}

export type DropReason = "kind" | "platform" | "excluded" | "unreached";

export interface DroppedPackage {
  readonly place: string;
  readonly name: string;
  readonly version: string;
  readonly reason: DropReason;
}

export interface Closure {
  /** In the lockfile's order. */
  readonly kept: readonly KeptPackage[];
  readonly dropped: readonly DroppedPackage[];
  /** The project's own dependencies that are kept, by kind. */
  readonly roots: Readonly<Record<DependencyKind, ReadonlySet<string>>>;
}

/** A dependency of one package on another. */
interface Edge {
  readonly from: string;
  readonly name: string;
  readonly range: string;
  readonly isOptional: boolean;
  readonly isPeer: boolean;
}

/** Fails if a package to keep is not in the lockfile, or cannot be vendored. */
export function decideClosure(lock: Lockfile, filter: Filter): Closure {
  requireKnown(lock, filter.buildDependencies);
  const skipped = new Map<string, DropReason>();
  const byKind = Object.fromEntries(
    KINDS.map((kind) => {
      const isKept = filter.kinds.includes(kind);
      // A kind that is left out must not make vendoring fail, so it is walked without filters.
      const seen = isKept ? new Map<string, DropReason>() : undefined;
      const mine = isKept ? filter : { ...filter, platforms: [], excludePackages: [] };
      const reached = walk(lock, rootEdges(lock, kind, filter), mine, seen);
      for (const [place, reason] of seen ?? []) skipped.set(place, reason);
      return [kind, reached];
    }),
  ) as Record<DependencyKind, ReadonlySet<string>>;
  const keptPlaces = new Set(filter.kinds.flatMap((kind) => [...byKind[kind]]));
  const places = Object.keys(lock.packages).filter((it) => it !== "");
  const kept = places.filter((it) => keptPlaces.has(it)).map((it) => describe(lock, it, byKind));
  for (const it of kept) requireVendorable(it);
  const dropped = places
    .filter((it) => !keptPlaces.has(it))
    .map((it) => drop(lock, it, skipped.get(it) ?? reasonOf(it, byKind)));
  return { kept, dropped, roots: keptRoots(lock, filter, keptPlaces) };
}

function requireKnown(lock: Lockfile, names: readonly string[]): void {
  const root = lock.packages[""] ?? {};
  const unknown = names.filter((it) => !(it in { ...root.dependencies, ...root.devDependencies }));
  if (unknown.length === 0) return;
  throw new BootcError(`the build dependency \`${unknown[0]}\` is not in package.json`, {
    hint: "buildDependencies of `vendorFilter` names entries of devDependencies",
  });
}

function rootEdges(lock: Lockfile, kind: DependencyKind, filter: Filter): readonly Edge[] {
  const root = lock.packages[""] ?? {};
  const dev = Object.entries(root.devDependencies ?? {});
  const isBuild = ([name]: readonly [string, string]) => filter.buildDependencies.includes(name);
  switch (kind) {
    case "normal":
      return edgesOf("", root);
    case "build":
      return dev.filter(isBuild).map((it) => edge("", it));
    case "dev":
      return dev.filter((it) => !isBuild(it)).map((it) => edge("", it));
  }
}

/** What a package needs. Development dependencies of packages do not matter. */
export function edgesOf(from: string, entry: LockEntry): readonly Edge[] {
  const of = (ranges: Ranges | undefined, rest: Partial<Edge> = {}) =>
    Object.entries(ranges ?? {}).map((it) => ({ ...edge(from, it), ...rest }));
  return [
    ...of(effectiveRanges(entry, "dependencies")),
    ...of(entry.optionalDependencies, { isOptional: true }),
    ...of(entry.peerDependencies, { isPeer: true }),
  ];
}

function edge(from: string, [name, range]: readonly [string, string]): Edge {
  return { from, name, range, isOptional: false, isPeer: false };
}

/** Everything reachable from `start`. With `skipped`, records packages that are left out, and may fail. */
function walk(
  lock: Lockfile,
  start: readonly Edge[],
  filter: Filter,
  skipped: Map<string, DropReason> | undefined,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const left = [...start];
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const place = resolvePlace(lock, next.from, next.name);
    if (place === undefined) {
      if (skipped !== undefined) requireMayBeMissing(next);
      continue;
    }
    if (reached.has(place)) continue;
    const entry = lock.packages[place] ?? {};
    const reason = reasonToSkip(registryName(place, entry), entry, filter);
    if (reason !== undefined) {
      if (skipped !== undefined) requireMayBeSkipped(next, place, entry, reason);
      skipped?.set(place, reason);
      continue;
    }
    if (skipped !== undefined) requireRegistry(next);
    reached.add(place);
    left.push(...edgesOf(place, entry));
  }
  return reached;
}

function reasonToSkip(name: string, entry: LockEntry, filter: Filter): DropReason | undefined {
  if (filter.excludePackages.some((it) => matchesGlob(name, it))) return "excluded";
  const { platforms } = filter;
  if (platforms.length === 0 || platforms.some((it) => runsOn(entry, it))) return undefined;
  return "platform";
}

function requireMayBeMissing(edge: Edge): void {
  // npm leaves out peers with --legacy-peer-deps, and optional packages that it cannot get.
  if (edge.isOptional || edge.isPeer) return;
  throw new BootcError(`\`${edge.name}\`, which ${needer(edge)} needs, is not in the lockfile`, {
    hint: "renew the lockfile with `npm install --package-lock-only`",
  });
}

function requireMayBeSkipped(
  edge: Edge,
  place: string,
  entry: LockEntry,
  reason: DropReason,
): void {
  if (edge.isOptional || edge.isPeer || entry.optional) return;
  const name = registryName(place, entry);
  const why = reason === "platform" ? "runs on none of the chosen platforms" : "is excluded";
  throw new BootcError(`\`${name}\` ${why}, but ${needer(edge)} needs it`, {
    hint: reason === "platform" ? "add a platform" : "take it out of excludePackages",
  });
}

function requireRegistry(edge: Edge): void {
  const kind = kindOfRange(edge.range);
  if (kind === undefined) return;
  throw new BootcError(`${needer(edge)} takes \`${edge.name}\` from ${kind}: \`${edge.range}\``, {
    kind: "unsupported",
    hint: "depend on a release in a registry, which has an integrity",
  });
}

/** The source that a range names, if it is not a registry. */
function kindOfRange(range: string): string | undefined {
  if (/^git[+:]|^(github|gitlab|bitbucket|gist):|^git@|^[\w.-]+\/[\w.-]+(#|$)/.test(range))
    return "git";
  if (/^https?:/.test(range)) return "an address";
  if (/^(file|link):|^\.{0,2}\/|^~\//.test(range)) return "a folder or file";
  return /^workspace:/.test(range) ? "a workspace" : undefined;
}

function needer(edge: Edge): string {
  return edge.from === "" ? "package.json" : `\`${edge.from.replace(/^.*node_modules\//, "")}\``;
}

function requireVendorable({ place, name, entry }: KeptPackage): void {
  const what = `\`${name}@${entry.version ?? "?"}\``;
  const refuse = (problem: string, hint: string): never => {
    throw new BootcError(`${what} ${problem}`, { kind: "unsupported", hint });
  };
  if (entry.link || !place.includes("node_modules/"))
    refuse("is a link into a workspace", "publish it, or vendor it on its own");
  if (entry.inBundle)
    refuse("comes inside another package's tarball", "depend on it by its own name");
  if (entry.resolved?.startsWith("git")) refuse("comes from git", "depend on a release");
  if (entry.resolved?.startsWith("file:")) refuse("comes from a local file", "depend on a release");
  if (entry.version === undefined) refuse("has no version in the lockfile", "renew the lockfile");
  if (entry.integrity) return;
  throw new BootcError(`${what} has no integrity in the lockfile`, {
    kind: "integrity",
    hint: "remove its entry and run `npm install --package-lock-only`",
  });
}

function describe(
  lock: Lockfile,
  place: string,
  byKind: Readonly<Record<DependencyKind, ReadonlySet<string>>>,
): KeptPackage {
  const entry = lock.packages[place] ?? {};
  const kind = KINDS.find((it) => byKind[it].has(place)) ?? "dev";
  return { place, name: registryName(place, entry), kind, entry };
}

function drop(lock: Lockfile, place: string, reason: DropReason): DroppedPackage {
  const entry = lock.packages[place] ?? {};
  return { place, name: registryName(place, entry), version: entry.version ?? "", reason };
}

function reasonOf(
  place: string,
  byKind: Readonly<Record<DependencyKind, ReadonlySet<string>>>,
): DropReason {
  return KINDS.some((it) => byKind[it].has(place)) ? "kind" : "unreached";
}

function keptRoots(
  lock: Lockfile,
  filter: Filter,
  kept: ReadonlySet<string>,
): Readonly<Record<DependencyKind, ReadonlySet<string>>> {
  const namesOf = (kind: DependencyKind) => {
    if (!filter.kinds.includes(kind)) return new Set<string>();
    const names = rootEdges(lock, kind, filter).map((it) => it.name);
    return new Set(names.filter((it) => kept.has(`node_modules/${it}`)));
  };
  return { normal: namesOf("normal"), build: namesOf("build"), dev: namesOf("dev") };
}
