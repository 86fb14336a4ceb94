// What a reference names right now: manifest and configuration, without fetching a layer.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { type ImageConfig, parseConfig } from "../../image/config.ts";
import { hexOf } from "../../image/digest.ts";
import {
  type ImageManifest,
  type IndexEntry,
  parseImageManifest,
  parseManifest,
  requirePlatform,
} from "../../image/manifest.ts";
import { platformOf } from "../../image/platform.ts";
import type { ImageReference, OstreeReference } from "../../image/reference.ts";
import {
  canonicalizeReference,
  formatRegistryName,
  parseRegistryName,
} from "../../image/registry-name.ts";
import {
  inspectConfig,
  inspectManifest,
  isTransient,
  type RegistryAccess,
  type SkopeoLimits,
  type SkopeoSource,
} from "../../programs/skopeo/skopeo.ts";
import { readTarMember } from "../../programs/tar.ts";
import type { Context } from "../../system/context.ts";
import { retrying } from "../fetch/retry.ts";
import { DEFAULT_LIMITS } from "../request.ts";
import { readSource } from "./source.ts";

/** Attempts at a question; a wrong host name should not take long to be reported. */
const ATTEMPTS = 3;

export interface Inspected {
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
}

/** `sha256:…` of `bytes`. */
export function digestOf(bytes: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/**
 * The manifest for this machine, an index resolved. `isKnown` may say that a digest needs no further
 * question; the result is then undefined.
 */
export async function inspectForHost(
  ctx: Context,
  source: SkopeoSource,
  options: SkopeoLimits & {
    readonly isKnown: (digest: string) => boolean;
    /** The manifest has been asked for once already, in vain. */
    readonly isRetry?: boolean;
  },
): Promise<Inspected | undefined> {
  const attemptsMax = options.isRetry ? ATTEMPTS - 1 : ATTEMPTS;
  const text = await ask(ctx, () => inspectManifest(ctx, source, options), attemptsMax);
  const parsed = parseManifest(text);
  if (parsed.kind === "image") {
    const manifestDigest = digestOf(text);
    return options.isKnown(manifestDigest)
      ? undefined
      : { manifestDigest, manifest: parsed.manifest };
  }
  const entry = requirePlatform(parsed.index, platformOf(process.arch));
  if (options.isKnown(entry.digest)) return undefined;
  const chosen = await readEntry(ctx, source, { entry, limits: options });
  requireEqualDigest(chosen, entry.digest, "the manifest");
  return { manifestDigest: entry.digest, manifest: parseImageManifest(chosen) };
}

/** The manifest a reference names now, an index resolved for this machine; nothing is compared or kept. */
export async function inspectReference(
  ctx: Context,
  reference: OstreeReference,
  access: RegistryAccess,
): Promise<Inspected> {
  const image = canonicalizeReference(reference.image);
  const source = await readSource(ctx, image, { reference, access });
  const options = { timeoutMs: DEFAULT_LIMITS.stallMs, isKnown: () => false };
  const inspected = await inspectForHost(ctx, source, options);
  if (inspected === undefined) throw new Error("unreachable: nothing was known");
  return inspected;
}

/** The configuration that belongs to an inspected manifest; `early` is one asked for at the same time. */
export async function inspectConfigOf(
  ctx: Context,
  source: SkopeoSource,
  options: SkopeoLimits & { readonly of: Inspected; readonly early?: Promise<string> | undefined },
): Promise<ImageConfig> {
  const { digest } = options.of.manifest.config;
  const early = await options.early;
  if (early !== undefined && digestOf(early) === digest) return parseConfig(early);
  // The tag may have moved in between; by digest it cannot.
  const pinned = pinSource(source, options.of.manifestDigest);
  const text = await ask(ctx, () => inspectConfig(ctx, pinned, options));
  requireEqualDigest(text, digest, "the image configuration");
  return parseConfig(text);
}

export async function askForConfig(
  ctx: Context,
  source: SkopeoSource,
  limits: SkopeoLimits,
): Promise<string> {
  return await ask(ctx, () => inspectConfig(ctx, source, limits));
}

/** The manifest of one platform. Only a registry can be asked by digest; local forms are files. */
async function readEntry(
  ctx: Context,
  source: SkopeoSource,
  { entry, limits }: { readonly entry: IndexEntry; readonly limits: SkopeoLimits },
): Promise<string> {
  const { transport, name } = source.image;
  const blob = `blobs/sha256/${hexOf(entry.digest)}`;
  switch (transport) {
    case "registry":
      return await ask(ctx, () => inspectManifest(ctx, pinSource(source, entry.digest), limits));
    case "oci":
      return await readFile(join(pathOf(name), blob), "utf8");
    case "oci-archive":
      return await readTarMember(ctx, pathOf(name), blob);
    case "dir":
      return await readFile(join(name, `${hexOf(entry.digest)}.manifest.json`), "utf8");
    default:
      throw new BootcError(`an image index in \`${transport}\` is not supported`, {
        kind: "unsupported",
      });
  }
}

/** The path in `PATH[:TAG]`. */
function pathOf(name: string): string {
  return name.split(":", 1)[0] ?? name;
}

/** The same image by digest, where its transport can say that. */
export function pinSource(source: SkopeoSource, digest: string): SkopeoSource {
  return { ...source, image: pinImage(source.image, digest) };
}

function pinImage(image: ImageReference, digest: string): ImageReference {
  if (image.transport !== "registry") return image;
  const name = parseRegistryName(image.name);
  if (name === undefined) return image;
  return { ...image, name: formatRegistryName({ ...name, tag: undefined, digest }) };
}

export function requireEqualDigest(text: string, want: string, what: string): void {
  const got = digestOf(text);
  if (got === want) return;
  throw new BootcError(`${what} has the digest \`${got}\`, not \`${want}\``, { kind: "integrity" });
}

async function ask<T>(
  ctx: Context,
  question: () => Promise<T>,
  attemptsMax = ATTEMPTS,
): Promise<T> {
  return await retrying(ctx, { attemptsMax, isTransient }, question);
}
