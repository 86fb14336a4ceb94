// package.json and package-lock.json as we read them, and the ways in which they can be wrong.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import type { PlatformLimits } from "./platform.ts";

export type Ranges = Readonly<Record<string, string>>;

/** What package.json and an entry of the lockfile have in common. */
export interface Dependencies {
  readonly dependencies?: Ranges;
  readonly devDependencies?: Ranges;
  readonly optionalDependencies?: Ranges;
  readonly peerDependencies?: Ranges;
}

export interface PackageManifest extends Dependencies {
  readonly name?: string;
  readonly version?: string;
  readonly license?: unknown;
  readonly workspaces?: unknown;
  readonly vendorFilter?: unknown;
  readonly [key: string]: unknown;
}

/** An entry of `packages` in a lockfile. */
export interface LockEntry extends Dependencies, PlatformLimits {
  readonly name?: string;
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly peer?: boolean;
}

/** A lockfile of version 3, or one of version 2 without what that repeats for npm 6. */
export interface Lockfile {
  readonly name?: string;
  readonly version?: string;
  readonly lockfileVersion: 3;
  readonly requires?: boolean;
  /** By place in the tree: `` is the project, `node_modules/a/node_modules/b` a nested package. */
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface Project {
  readonly folder: string;
  readonly manifest: PackageManifest;
  readonly lock: Lockfile;
}

/** npm reads the first of them that is there. */
const LOCKFILES = ["npm-shrinkwrap.json", "package-lock.json"] as const;

/** Reads the project in `folder`. Fails unless its lockfile is there and up to date. */
export async function readProject(folder: string): Promise<Project> {
  const manifest = parsePackageManifest(
    await readRequired(join(folder, "package.json"), NO_MANIFEST),
  );
  const file = LOCKFILES.find((it) => existsSync(join(folder, it))) ?? "package-lock.json";
  const lock = parseLockfile(await readRequired(join(folder, file), NO_LOCKFILE), file);
  requireLockfileAgreement(manifest, lock, file);
  return { folder, manifest, lock };
}

const NO_MANIFEST = "name a package.json with --manifest-path";
const NO_LOCKFILE = "make it with `npm install --package-lock-only`";

async function readRequired(path: string, hint: string): Promise<string> {
  const text = await readFileIfAny(path);
  if (text !== undefined) return text;
  throw new BootcError(`there is no \`${path}\``, { hint });
}

export function parsePackageManifest(text: string): PackageManifest {
  const manifest = parseObject("package.json", text) as PackageManifest;
  if (manifest.workspaces === undefined) return manifest;
  throw new BootcError("workspaces cannot be vendored: their packages are in no registry", {
    kind: "unsupported",
    hint: "vendor the workspace that is shipped, with a package.json and lockfile of its own",
  });
}

/** Fails on lockfiles of version 1, which say too little, and on unknown ones. `file` is for errors. */
export function parseLockfile(text: string, file = "package-lock.json"): Lockfile {
  const { dependencies: _old, ...lock } = parseObject(file, text);
  if (lock.lockfileVersion !== 3 && lock.lockfileVersion !== 2) {
    const version = JSON.stringify(lock.lockfileVersion);
    throw new BootcError(`${file} has version ${version}, want 2 or 3`, {
      kind: "unsupported",
      hint: "renew it with `npm install --package-lock-only --lockfile-version 3`",
    });
  }
  const whole = { ...lock, lockfileVersion: 3 } as unknown as Lockfile;
  const { packages }: { packages?: unknown } = whole;
  if (typeof packages === "object" && packages !== null && whole.packages[""]) return whole;
  throw new BootcError(`${file} names no packages`, { hint: NO_LOCKFILE });
}

function parseObject(name: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    // Some editors begin a file with a byte-order mark, which npm reads over.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new BootcError(`${name} is not valid JSON`, { cause: new BootcError(String(cause)) });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new BootcError(`${name} holds no object`);
}

const KINDS = [
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
] as const;

/** Fails, naming every difference, unless the lockfile was made for this package.json. */
export function requireLockfileAgreement(
  manifest: PackageManifest,
  lock: Lockfile,
  file: string,
): void {
  const root = lock.packages[""] ?? {};
  const differences = KINDS.flatMap((kind) => {
    const have = effectiveRanges(root, kind);
    const want = effectiveRanges(manifest, kind);
    const names = new Set([...Object.keys(have), ...Object.keys(want)]);
    return [...names]
      .filter((it) => have[it] !== want[it])
      .map((it) => `\`${it}\` (${want[it] ?? "absent"}, locked ${have[it] ?? "absent"})`);
  });
  if (differences.length === 0) return;
  throw new BootcError(`${file} disagrees with package.json: ${differences.join(", ")}`, {
    hint: "bring it up to date with `npm install --package-lock-only`",
  });
}

/** npm lets an optional dependency win over an ordinary one of the same name. */
export function effectiveRanges(from: Dependencies, kind: (typeof KINDS)[number]): Ranges {
  const ranges = from[kind] ?? {};
  if (kind !== "dependencies") return ranges;
  const optional = from.optionalDependencies ?? {};
  return Object.fromEntries(Object.entries(ranges).filter(([name]) => !(name in optional)));
}

/** The name a package has in the registry; an alias carries it in the entry. */
export function registryName(place: string, entry: LockEntry): string {
  return entry.name ?? place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** Where Node finds `name` from `place`: the nearest node_modules on the way up. */
export function resolvePlace(lock: Lockfile, place: string, name: string): string | undefined {
  for (let at = place; ; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
    const isInside = at === "node_modules" || at.endsWith("/node_modules");
    const found = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (!isInside && lock.packages[found] !== undefined) return found;
    if (at === "") return undefined;
  }
}
