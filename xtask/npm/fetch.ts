// Fetches packages from the registry that npm is configured for, and verifies them by the lockfile.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing, kindOf } from "../../src/errors.ts";
import { readBytesIfAny } from "../../src/system/files.ts";
import { cacheFolder } from "../archive/make-once.ts";
import { writeWhole } from "../archive/write-whole.ts";
import { realClock } from "../remote/clock.ts";
import { tryRepeatedly } from "../remote/retry.ts";
import type { Tree } from "../task.ts";
import { type NpmOptions, readNpmOptions } from "./config.ts";
import { describeMismatch, type Integrity, matchIntegrity, parseIntegrity } from "./integrity.ts";

export interface PackageId {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity as in the lockfile: `sha512-` and base64. */
  readonly integrity: string;
}

export interface PackageFetchOptions {
  /** Use only the cache, and fail if a package is not in it. */
  readonly isOffline?: boolean;
  /** The folder whose npm configuration applies; the checkout by default. */
  readonly folder?: string;
}

/** How many downloads run at once. */
const AT_ONCE = 8;
/** Pauses before the second and later attempts, in milliseconds. */
const PAUSES_MS = [500, 2000, 6000];

/**
 * The path of a package's tarball, which is downloaded unless the cache has it, and verified by `integrity`
 * in both cases. Fails with kind `integrity`, `network` or `authentication`, and names the package.
 */
export async function fetchPackage(
  tree: Tree,
  wanted: PackageId,
  options: PackageFetchOptions = {},
): Promise<string> {
  const { name, version } = wanted;
  const want = requireDigests(wanted);
  const tag = Buffer.from(want.digests[0] ?? "", "base64")
    .toString("hex")
    .slice(0, 32);
  const file = `${name.replaceAll("/", "+")}-${version}-${tag}.tgz`;
  const path = join(cacheFolder(tree), "packages", file);
  if (await isIntact(path, want)) return path;
  if (options.isOffline)
    throw new BootcError(`\`${name}@${version}\` is not in the cache`, {
      kind: "network",
      hint: "run this once without --offline",
    });
  const folder = options.folder ?? tree.top;
  const bytes = await doing(`fetching \`${name}@${version}\``, async () =>
    download(tree, wanted, await configOf(tree, folder)),
  );
  requireIntegrity(wanted, bytes);
  await writeWhole(path, (temp) => writeFile(temp, bytes));
  return path;
}

/** Like `fetchPackage`, for many packages, eight at a time; returns paths in the order of `wanted`. */
export async function fetchPackages(
  tree: Tree,
  wanted: readonly PackageId[],
  options: PackageFetchOptions = {},
): Promise<readonly string[]> {
  const paths: string[] = [];
  const left = [...wanted.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [i, it] = next;
      paths[i] = await fetchPackage(tree, it, options);
    }
  };
  // After a failure, start no new downloads and wait for the running ones.
  const stop = (error: unknown): never => {
    left.length = 0;
    throw error;
  };
  const workers = await Promise.allSettled(
    Array.from({ length: AT_ONCE }, () => work().catch(stop)),
  );
  const failed = workers.find((it) => it.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return paths;
}

function requireDigests({ name, version, integrity }: PackageId): Integrity {
  const want = parseIntegrity(integrity);
  if (want !== undefined) return want;
  throw new BootcError(`the integrity of \`${name}@${version}\` is not a SHA-2 digest`, {
    kind: "integrity",
    hint: "remove its entry from the lockfile and run `npm install --package-lock-only`",
  });
}

/** The digest of `bytes`. Fails with kind `integrity` if the lockfile has another one. */
export function requireIntegrity(wanted: PackageId, bytes: Uint8Array): string {
  const want = requireDigests(wanted);
  const matched = matchIntegrity(want, bytes);
  if (matched !== undefined) return matched;
  throw new BootcError(
    `\`${wanted.name}@${wanted.version}\` is not what the lockfile says: ${describeMismatch(want, bytes)}`,
    { kind: "integrity", hint: "find out who changed it before you continue" },
  );
}

async function isIntact(path: string, want: Integrity): Promise<boolean> {
  const bytes = await readBytesIfAny(path);
  return bytes !== undefined && matchIntegrity(want, bytes) !== undefined;
}

/** npm is asked once for all downloads of a run. */
const configs = new Map<string, Promise<NpmOptions>>();

function configOf({ ctx }: Tree, folder: string): Promise<NpmOptions> {
  const known = configs.get(folder);
  if (known !== undefined) return known;
  ctx.note("fetching packages that are not in the cache yet");
  const asked = readNpmOptions(ctx, folder);
  configs.set(folder, asked);
  return asked;
}

async function download(
  { ctx }: Tree,
  { name, version }: PackageId,
  options: NpmOptions,
): Promise<Buffer> {
  const plan = {
    triesMax: PAUSES_MS.length + 1,
    pauseMs: (failures: number) => PAUSES_MS[failures - 1] ?? 0,
    mayRetry: (error: unknown) => kindOf(error) === "network",
    describe: (message: string) => `${name}@${version}: ${message}; trying again`,
  };
  const patience = { clock: realClock, signal: ctx.signal, note: ctx.note };
  return await tryRepeatedly(patience, plan, () =>
    attempt(name, version, { ...options, signal: ctx.signal }),
  );
}

async function attempt(name: string, version: string, options: NpmOptions): Promise<Buffer> {
  const { default: fetchFromRegistry } = await import("npm-registry-fetch");
  const registry = fetchFromRegistry.pickRegistry(name, options).replace(/\/*$/, "");
  const url = `${registry}/${name}/-/${name.replace(/^.*\//, "")}-${version}.tgz`;
  try {
    const response = await fetchFromRegistry(url, { ...options, ...ONE_REQUEST });
    return await response.buffer();
  } catch (error) {
    throw explain(url, error);
  }
}

/** We have our own cache and retries: npm's retries would continue after an interruption. */
const ONE_REQUEST = { cache: undefined, offline: false, retry: { retries: 0 } };

interface FetchFailure extends Error {
  readonly code?: string;
  /** Set when the server answered with an error. */
  readonly statusCode?: number;
}

function explain(url: string, cause: unknown): unknown {
  const { host } = new URL(url);
  const { code, statusCode: status, message } = cause as FetchFailure;
  if (status !== undefined)
    return new BootcError(`${host} answered ${status}`, {
      kind: kindOfStatus(status),
      hint: hintOfStatus(status),
    });
  if (code === undefined) return cause;
  const reason = message.replace(/^request to \S+ failed, reason: /, "");
  return new BootcError(`cannot reach ${host}: ${reason}`, {
    kind: "network",
    hint: "check the network, and `npm config get registry`",
  });
}

function kindOfStatus(status: number): "authentication" | "network" | "failed" {
  if (status === 401 || status === 403) return "authentication";
  return status >= 500 || status === 429 || status === 408 ? "network" : "failed";
}

function hintOfStatus(status: number): string {
  if (status === 401 || status === 403) return "log in with `npm login`";
  if (status === 404) return "does `npm config get registry` name the registry you mean?";
  return "try again later";
}
