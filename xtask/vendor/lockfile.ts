// Reads package.json and package-lock.json, and checks that they agree.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import type { PlatformLimits } from "./platform.ts";

export type Ranges = Readonly<Record<string, string>>;

/** The fields that package.json and the entries of a lockfile have in common. */
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

/** A lockfile of version 3, or of version 2 without the part that is for npm 6. */
export interface Lockfile {
  readonly name?: string;
  readonly version?: string;
  readonly lockfileVersion: 3;
  readonly requires?: boolean;
  /** By place in the tree: "" is the project, `node_modules/a/node_modules/b` is a nested package. */
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface Project {
  readonly folder: string;
  readonly manifest: PackageManifest;
  readonly lock: Lockfile;
}

/** npm reads the first of these that exists. */
const LOCKFILES = ["npm-shrinkwrap.json", "package-lock.json"] as const;

/** Reads the project in `folder`. Fails unless its lockfile exists and is up to date. */
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
  throw new BootcError(
    "workspaces cannot be vendored, because their packages are not in a registry",
    {
      kind: "unsupported",
      hint: "vendor the workspace that is shipped, with its own package.json and lockfile",
    },
  );
}

/** Fails on version 1, which has too little information, and on unknown versions. Errors name `file`. */
export function parseLockfile(text: string, file = "package-lock.json"): Lockfile {
  const { dependencies: _old, ...lock } = parseObject(file, text);
  if (lock.lockfileVersion !== 3 && lock.lockfileVersion !== 2) {
    const version = JSON.stringify(lock.lockfileVersion);
    throw new BootcError(`${file} has version ${version} instead of 2 or 3`, {
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
    // Some editors write a byte-order mark at the beginning, which npm ignores.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new BootcError(`${name} is not valid JSON`, { cause: new BootcError(String(cause)) });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new BootcError(`${name} does not contain an object`);
}

const KINDS = [
  "dependencies",
  "devDependencies",
  "optionalDependencies",
  "peerDependencies",
] as const;

/** Fails and names every difference if the lockfile was not made for this package.json. */
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

/** In npm, an optional dependency overrides an ordinary one with the same name. */
export function effectiveRanges(from: Dependencies, kind: (typeof KINDS)[number]): Ranges {
  const ranges = from[kind] ?? {};
  if (kind !== "dependencies") return ranges;
  const optional = from.optionalDependencies ?? {};
  return Object.fromEntries(Object.entries(ranges).filter(([name]) => !(name in optional)));
}

/** The name of a package in the registry, which the entry has if the place has an alias. */
export function registryName(place: string, entry: LockEntry): string {
  return entry.name ?? place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** Where Node finds `name` from `place`: in the nearest node_modules on the way up. */
export function resolvePlace(lock: Lockfile, place: string, name: string): string | undefined {
  for (let at = place; ; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
    const isInside = at === "node_modules" || at.endsWith("/node_modules");
    const found = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (!isInside && lock.packages[found] !== undefined) return found;
    if (at === "") return undefined;
  }
}
