// Reduces package.json and package-lock.json to what was kept, so that they still agree.
import type { Closure, KeptPackage } from "./closure.ts";
import {
  type LockEntry,
  type Lockfile,
  type PackageManifest,
  type Ranges,
  resolvePlace,
} from "./lockfile.ts";

/** The fields of a tarball in the vendored lockfile. */
export interface VendoredTarball {
  /** Relative to the lockfile. */
  readonly file: string;
  readonly integrity: string;
}

/**
 * Removes scripts, which would run at installation and are not vendored, and development dependencies that
 * were left out.
 */
export function pruneManifest(manifest: PackageManifest, closure: Closure): PackageManifest {
  const { scripts: _scripts, vendorFilter: _filter, devEngines: _engines, ...rest } = manifest;
  return withRanges(rest as PackageManifest, pruneRanges(manifest, closure));
}

/** Makes entries refer to the vendored tarballs, and sets the flags for the smaller tree. */
export function pruneLock(
  lock: Lockfile,
  closure: Closure,
  tarballs: ReadonlyMap<string, VendoredTarball>,
): Lockfile {
  const root = lock.packages[""] ?? {};
  const pruned = withRanges(root, pruneRanges(root, closure));
  const reach = reachability(lock, closure, pruned);
  const dropped = new Set(closure.dropped.map((it) => it.place));
  const entries = closure.kept.map((it) => {
    const entry = withoutDropped(lock, it, dropped);
    return [it.place, pruneEntry({ ...it, entry }, tarballs, reach)] as const;
  });
  return { ...lock, packages: { "": pruned, ...Object.fromEntries(entries) } };
}

interface RootRanges {
  readonly dependencies: Ranges;
  readonly devDependencies: Ranges;
  readonly optionalDependencies: Ranges;
  readonly peerDependencies: Ranges;
}

function pruneRanges(from: PackageManifest | LockEntry, { roots }: Closure): RootRanges {
  const only = (ranges: Ranges | undefined, ...names: readonly ReadonlySet<string>[]): Ranges =>
    Object.fromEntries(
      Object.entries(ranges ?? {}).filter(([name]) => names.some((it) => it.has(name))),
    );
  return {
    dependencies: only(from.dependencies, roots.normal),
    devDependencies: only(from.devDependencies, roots.build, roots.dev),
    optionalDependencies: only(from.optionalDependencies, roots.normal),
    peerDependencies: only(from.peerDependencies, roots.normal),
  };
}

/** Leaves out keys without a range, like npm. */
function withRanges<T extends PackageManifest | LockEntry>(from: T, ranges: RootRanges): T {
  const kept = Object.entries(from).flatMap(([key, value]) => {
    if (!(key in ranges)) return [[key, value] as const];
    const mine = ranges[key as keyof RootRanges];
    return Object.keys(mine).length === 0 ? [] : [[key, mine] as const];
  });
  return Object.fromEntries(kept) as T;
}

/** For npm, a lockfile that names an optional package without having an entry for it is outdated. */
function withoutDropped(
  lock: Lockfile,
  { place, entry }: KeptPackage,
  dropped: ReadonlySet<string>,
): LockEntry {
  const optional = Object.entries(entry.optionalDependencies ?? {});
  const kept = optional.filter(([name]) => {
    const found = resolvePlace(lock, place, name);
    return found !== undefined && !dropped.has(found);
  });
  if (kept.length === optional.length) return entry;
  const { optionalDependencies: _all, ...rest } = entry;
  return kept.length === 0 ? rest : { ...rest, optionalDependencies: Object.fromEntries(kept) };
}

function pruneEntry(
  { place, entry }: KeptPackage,
  tarballs: ReadonlyMap<string, VendoredTarball>,
  reach: Reachability,
): LockEntry {
  const tarball = tarballs.get(place);
  if (tarball === undefined) throw new Error(`unreachable: no tarball for ${place}`);
  const { dev: _dev, optional: _optional, devOptional: _both, version, ...rest } = entry;
  return {
    ...(version === undefined ? {} : { version }),
    ...rest,
    resolved: `file:${tarball.file}`,
    integrity: tarball.integrity,
    ...flagsOf(place, reach),
  };
}

interface Reachability {
  readonly withoutDev: ReadonlySet<string>;
  readonly withoutOptional: ReadonlySet<string>;
  readonly withoutBoth: ReadonlySet<string>;
}

/** npm's flags: only for development, only optional, or one of the two on every path. */
function flagsOf(place: string, reach: Reachability): Partial<LockEntry> {
  if (reach.withoutBoth.has(place)) return {};
  const isDev = !reach.withoutDev.has(place);
  const isOptional = !reach.withoutOptional.has(place);
  if (!isDev && !isOptional) return { devOptional: true };
  return { ...(isDev ? { dev: true } : {}), ...(isOptional ? { optional: true } : {}) };
}

function reachability(lock: Lockfile, closure: Closure, root: LockEntry): Reachability {
  const kept = new Set(closure.kept.map((it) => it.place));
  const reach = (withDev: boolean, withOptional: boolean): ReadonlySet<string> => {
    const seen = new Set<string>();
    const left = [""];
    for (let place = left.shift(); place !== undefined; place = left.shift()) {
      const entry = place === "" ? root : (lock.packages[place] ?? {});
      for (const name of namesIn(entry, { withDev: withDev && place === "", withOptional })) {
        const next = resolvePlace(lock, place, name);
        if (next === undefined || !kept.has(next) || seen.has(next)) continue;
        seen.add(next);
        left.push(next);
      }
    }
    return seen;
  };
  return {
    withoutDev: reach(false, true),
    withoutOptional: reach(true, false),
    withoutBoth: reach(false, false),
  };
}

function namesIn(
  entry: LockEntry,
  { withDev, withOptional }: { readonly withDev: boolean; readonly withOptional: boolean },
): readonly string[] {
  const optional = Object.keys(entry.optionalDependencies ?? {});
  const plain = Object.keys({ ...entry.dependencies, ...entry.peerDependencies });
  return [
    ...plain.filter((it) => !optional.includes(it)),
    ...(withOptional ? optional : []),
    ...(withDev ? Object.keys(entry.devDependencies ?? {}) : []),
  ];
}
