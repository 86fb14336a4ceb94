// Packages from the registry npm is configured for, by the digest the lockfile gives them.
import { readFile, writeFile } from "node:fs/promises";
import { setGlobalProxyFromEnv } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { BootcError, doing, errnoOf } from "../../src/errors.ts";
import { writeWhole } from "../archive/archive.ts";
import { cacheFolder } from "../archive/make-once.ts";
import type { Tree } from "../task.ts";
import { decideCredentials, formatTarballUrl, type NpmConfig, readNpmConfig } from "./config.ts";
import { describeMismatch, type Integrity, matchIntegrity, parseIntegrity } from "./integrity.ts";

export interface PackageId {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity, as the lockfile has it: `sha512-` and base64. */
  readonly integrity: string;
}

export interface FetchOptions {
  /** Take what the cache has and fail for what it has not. */
  readonly isOffline?: boolean;
  /** Whose npm configuration holds, when not the checkout's. */
  readonly folder?: string;
}

/** How many downloads run at once. */
const AT_ONCE = 8;
/** Pauses before the second and later attempts, in milliseconds. */
const PAUSES_MS = [500, 2000, 6000];
/** A download that gives nothing for so long is given up, in milliseconds. */
const TIMEOUT_MS = 300_000;

/**
 * The path of a package's tarball, downloaded unless it is in the cache, in both cases verified
 * against `integrity`. Fails with `integrity`, `network` or `authentication`, naming the package.
 */
export async function fetchPackage(
  tree: Tree,
  wanted: PackageId,
  options: FetchOptions = {},
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
      hint: "run it once without --offline",
    });
  const folder = options.folder ?? tree.top;
  const bytes = await doing(`fetching \`${name}@${version}\``, async () =>
    download(tree, await configOf(tree, folder), wanted),
  );
  requireIntegrity(wanted, bytes);
  await writeWhole(path, (temp) => writeFile(temp, bytes));
  return path;
}

/** As `fetchPackage` for many, eight at a time; the paths in the order of `wanted`. */
export async function fetchPackages(
  tree: Tree,
  wanted: readonly PackageId[],
  options: FetchOptions = {},
): Promise<readonly string[]> {
  const paths: string[] = [];
  const left = [...wanted.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [i, it] = next;
      paths[i] = await fetchPackage(tree, it, options);
    }
  };
  // After a failure nothing new starts, and what runs is waited for: no half a set, no stray download.
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

/** The digest of `bytes`. Fails with `integrity`, naming the package, when the lockfile wants another. */
export function requireIntegrity(wanted: PackageId, bytes: Uint8Array): string {
  const want = requireDigests(wanted);
  const matched = matchIntegrity(want, bytes);
  if (matched !== undefined) return matched;
  throw new BootcError(
    `\`${wanted.name}@${wanted.version}\` is not what the lockfile says: ${describeMismatch(want, bytes)}`,
    { kind: "integrity", hint: "find out who changed it before you go on" },
  );
}

async function isIntact(path: string, want: Integrity): Promise<boolean> {
  try {
    return matchIntegrity(want, await readFile(path)) !== undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** One question to npm for all downloads of a run. */
const configs = new Map<string, Promise<NpmConfig>>();

function configOf({ ctx }: Tree, folder: string): Promise<NpmConfig> {
  const known = configs.get(folder);
  if (known !== undefined) return known;
  ctx.note("fetching packages that are not in the cache yet");
  const asked = readNpmConfig(ctx, folder).then(async (config) => {
    await trustAsNpm(config);
    return config;
  });
  configs.set(folder, asked);
  return asked;
}

/** Certificates and proxies as npm has them. */
async function trustAsNpm({ settings }: NpmConfig): Promise<void> {
  if (typeof settings.cafile === "string" && settings.cafile !== "") {
    const own = await readFile(settings.cafile, "utf8");
    setDefaultCACertificates([...getCACertificates("default"), own]);
  }
  const https = settings["https-proxy"] ?? settings.proxy;
  if (typeof https === "string" && https !== "")
    setGlobalProxyFromEnv({ ...process.env, HTTPS_PROXY: https, HTTP_PROXY: https });
}

async function download({ ctx }: Tree, config: NpmConfig, wanted: PackageId): Promise<Buffer> {
  const url = formatTarballUrl(config, wanted.name, wanted.version);
  const authorization = decideCredentials(config, url);
  const headers = authorization === undefined ? {} : { authorization };
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    try {
      return await attempt(url, headers, ctx.signal);
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (pauseMs === undefined || !isTransient(error)) throw error;
      ctx.note(`${wanted.name}@${wanted.version}: ${String(error)}; trying again`);
    }
    await setTimeout(pauseMs, undefined, { signal: ctx.signal }).catch(() => {
      ctx.signal.throwIfAborted();
    });
  }
  throw new Error("unreachable: the last attempt throws");
}

function isTransient(error: unknown): boolean {
  return error instanceof BootcError && error.kind === "network";
}

async function attempt(
  url: string,
  headers: Readonly<Record<string, string>>,
  stop: AbortSignal,
): Promise<Buffer> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]);
  const response = await fetch(url, { headers, signal }).catch(rethrowAsNetwork(url));
  if (response.ok) return Buffer.from(await response.arrayBuffer().catch(rethrowAsNetwork(url)));
  await response.body?.cancel();
  const { status } = response;
  throw new BootcError(`${new URL(url).host} answered ${status}`, {
    kind: kindOfStatus(status),
    hint: hintOfStatus(status),
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

/** fetch says only "fetch failed"; the reason is its cause. */
function rethrowAsNetwork(url: string): (error: unknown) => never {
  return (error) => {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new BootcError(`cannot reach ${new URL(url).host}: ${messageOf(reason)}`, {
      kind: "network",
      hint: "check the network, and `npm config get registry`",
    });
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
