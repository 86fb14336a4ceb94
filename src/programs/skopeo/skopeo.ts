// skopeo: asks for manifests and copies images. It does authentication, mirrors and policy.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { hexOf } from "../../image/digest.ts";
import { parseManifest } from "../../image/manifest.ts";
import { formatSkopeoName, type ImageReference } from "../../image/reference.ts";
import type { Context, RunOptions } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";
import { parseSkopeoFailure } from "./errors.ts";
import { readUserAgent } from "./user-agent.ts";

/** How to reach a registry; what is not given is searched or skopeo's own default. */
export interface RegistryAccess {
  /** Credentials; when absent, ostree's auth files are searched, and without one access is anonymous. */
  readonly authFile?: string | undefined;
  readonly isAnonymous?: boolean | undefined;
  readonly certDir?: string | undefined;
  readonly skipsTlsVerification?: boolean | undefined;
  /** Comes first in the user agent; only for a skopeo that has the option. */
  readonly userAgent?: string | undefined;
}

/** An image, and all that skopeo is told about reaching it. */
export interface SkopeoSource {
  readonly image: ImageReference;
  readonly access: RegistryAccess;
  /** Evaluated by skopeo when it copies; not when it inspects. */
  readonly policyFile: string;
}

export interface SkopeoLimits {
  /** Ends a question that is not answered, in milliseconds. */
  readonly timeoutMs: number;
}

/** The manifest, or index, exactly as it is served; not verified by anything. */
export async function inspectManifest(
  ctx: Context,
  source: SkopeoSource,
  limits: SkopeoLimits,
): Promise<string> {
  return await inspect(ctx, source, { words: ["--raw"], limits });
}

/** The configuration of this machine's image, exactly as it is served; not verified by anything. */
export async function inspectConfig(
  ctx: Context,
  source: SkopeoSource,
  limits: SkopeoLimits,
): Promise<string> {
  return await inspect(ctx, source, { words: ["--config", "--raw"], limits });
}

interface Inspection {
  readonly words: readonly string[];
  readonly limits: SkopeoLimits;
}

async function inspect(
  ctx: Context,
  source: SkopeoSource,
  { words, limits }: Inspection,
): Promise<string> {
  const name = formatSkopeoName(source.image);
  const args = ["inspect", ...words, ...registryArgs(source.access, ""), name];
  try {
    return await ctx.read("skopeo", args, { endsWithUs: true, timeoutMs: limits.timeoutMs });
  } catch (error) {
    throw explainSkopeo(error, source.image);
  }
}

export interface SkopeoTarget {
  /** An OCI layout that is made or added to; the image in it is called `image`. */
  readonly layoutDir: string;
  /** Where blobs go, and where those that exist are not fetched again. */
  readonly blobDir: string;
}

/** The name of the copied image in its layout. */
export const LAYOUT_IMAGE = "image";

/**
 * Copies an image into an OCI layout, after its policy accepted it. Ended with `options.signal` it
 * leaves complete blobs in `blobDir` and half-written ones in `layoutDir`.
 */
export async function copyToLayout(
  ctx: Context,
  source: SkopeoSource,
  { target, ...options }: { readonly target: SkopeoTarget } & Pick<RunOptions, "signal">,
): Promise<void> {
  // Asking skopeo whether it can takes longer than a look, so only downloads name us.
  const isRemote = source.image.transport === "registry";
  const userAgent = isRemote ? await readUserAgent(ctx) : undefined;
  const args = [
    "copy",
    "--quiet",
    // Stored images have their layers uncompressed and cannot keep their digests.
    ...(source.image.transport === "containers-storage" ? [] : ["--preserve-digests"]),
    // An OCI layout has no place for signatures; the policy is evaluated all the same.
    "--remove-signatures",
    "--dest-oci-accept-uncompressed-layers",
    `--dest-shared-blob-dir=${target.blobDir}`,
    ...registryArgs({ ...source.access, userAgent }, "src-"),
    formatSkopeoName(source.image),
    `oci:${target.layoutDir}:${LAYOUT_IMAGE}`,
  ];
  try {
    await ctx.run("skopeo", [`--policy=${source.policyFile}`, ...args], {
      ...options,
      isQuiet: true,
      endsWithUs: true,
    });
  } catch (error) {
    throw explainSkopeo(error, source.image);
  }
}

/** The manifest of the one image in a layout that was copied to `LAYOUT/blobs`. */
export async function readLayoutManifest(layoutDir: string): Promise<string> {
  const path = join(layoutDir, "index.json");
  const index = parseManifest(await readFile(path, "utf8"));
  const [entry] = index.kind === "index" ? index.index.manifests : [];
  if (entry === undefined) throw new BootcError(`\`${path}\` names no image`);
  return await readFile(join(layoutDir, "blobs/sha256", hexOf(entry.digest)), "utf8");
}

/** Options that tell how to reach a registry. */
export function registryArgs(
  access: RegistryAccess,
  side: "" | "src-" | "dest-",
): readonly string[] {
  return [
    ...(access.isAnonymous ? [`--${side}no-creds`] : []),
    ...(access.authFile === undefined ? [] : [`--${side}authfile=${access.authFile}`]),
    ...(access.certDir === undefined ? [] : [`--${side}cert-dir=${access.certDir}`]),
    ...(access.skipsTlsVerification ? [`--${side}tls-verify=false`] : []),
    ...(access.userAgent === undefined ? [] : [`--user-agent-prefix=${access.userAgent}`]),
  ];
}

const transient = new WeakSet<object>();

/** Marks an error as one that may not come again when what failed is tried again. */
export function asTransient(error: BootcError): BootcError {
  transient.add(error);
  return error;
}

/** `error`, thrown by one of the functions above, may not come again when it is tried again. */
export function isTransient(error: unknown): boolean {
  return typeof error === "object" && error !== null && transient.has(error);
}

/** A failure of skopeo in words of ours; any other error as it is. */
export function explainSkopeo(error: unknown, image: ImageReference): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  if (failure.isTimeout) return doesNotAnswer(image);
  // A missing program is explained by its own message already.
  if (failure.stderr === "" && failure.exitCode === undefined) return error;
  return explainReason(failure.stderr, image);
}

export function doesNotAnswer(image: ImageReference): BootcError {
  const message = `\`${formatSkopeoName(image)}\` does not answer`;
  return asTransient(new BootcError(message, { kind: "network" }));
}

/** The error for what skopeo says when it fails. */
export function explainReason(text: string, image: ImageReference): BootcError {
  const { kind, reason, isTransient: mayPass, hint } = parseSkopeoFailure(text);
  const explained = new BootcError(`skopeo cannot get \`${formatSkopeoName(image)}\`: ${reason}`, {
    kind,
    ...(hint === undefined ? hintOf(kind) : { hint }),
  });
  return mayPass ? asTransient(explained) : explained;
}

function hintOf(kind: string): { readonly hint?: string } {
  switch (kind) {
    case "authentication":
      return { hint: "credentials are read from /etc/ostree/auth.json, or give --authfile" };
    case "policy":
      return { hint: "see containers-policy.json(5)" };
    default:
      return {};
  }
}
