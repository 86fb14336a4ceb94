// The look at a reference through skopeo's image proxy: manifest and configuration by one connection, which
// stays open for the layers. When the proxy fails, `skopeo inspect` is asked, and its error is reported.
import { type ImageConfig, parseConfig } from "../../image/config.ts";
import { parseImageManifest } from "../../image/manifest.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import { acceptsAllOf } from "../../programs/skopeo/policy.ts";
import { type OpenedImage, openImage } from "../../programs/skopeo/proxy.ts";
import { isTransient, type SkopeoLimits, type SkopeoSource } from "../../programs/skopeo/skopeo.ts";
import type { Context } from "../../system/context.ts";
import { digestOf, type Inspected, requireEqualDigest } from "./inspect.ts";

/** An image that a proxy holds open. */
export interface Look {
  readonly opened: OpenedImage;
  /** The layers may come through the proxy too, since no policy restricts this image. */
  readonly isAccepted: boolean;
}

/** The proxy gave no answer, so `skopeo inspect` has to. */
export interface NoLook {
  readonly opened?: undefined;
  /** How the proxy failed; undefined when there is no proxy, or when it cannot answer our question. */
  readonly failure?: "passing" | "lasting" | undefined;
}

export interface LookOptions extends SkopeoLimits {
  /** Called when skopeo is being started. */
  readonly onStart: () => void;
}

/**
 * Opens the image. A proxy judges an index otherwise than `skopeo copy`, and before skopeo 1.14 nothing at
 * all. So it is asked to judge only where the policy accepts everything, and else only to look.
 */
export async function lookByProxy(
  ctx: Context,
  source: SkopeoSource,
  { onStart, ...limits }: LookOptions,
): Promise<Look | NoLook> {
  if (source.image.transport !== "registry") return {};
  const registry = parseRegistryName(source.image.name)?.registry;
  const isAccepted = registry !== undefined && (await acceptsAllOf(source.policyFile, registry));
  try {
    const opening = openImage(ctx, source, { ...limits, hasPolicy: isAccepted });
    onStart();
    const opened = await opening;
    return opened === undefined ? {} : { opened, isAccepted };
  } catch (error) {
    ctx.signal.throwIfAborted();
    return { failure: isTransient(error) ? "passing" : "lasting" };
  }
}

/**
 * The manifest; undefined when it has to be asked for by `skopeo inspect`, as one that is not of OCI: the
 * proxy converts it, and we have to see it as it is.
 */
export async function inspectOpened(
  ctx: Context,
  { manifestDigest, readManifest }: OpenedImage,
): Promise<Inspected | undefined> {
  const manifest = await readManifest().catch(() => {
    ctx.signal.throwIfAborted();
    return undefined;
  });
  if (manifest === undefined || digestOf(manifest) !== manifestDigest) return undefined;
  return { manifestDigest, manifest: parseImageManifest(manifest) };
}

/** The configuration; undefined when it has to be asked for by `skopeo inspect`. */
export async function readConfigByProxy(
  ctx: Context,
  opened: OpenedImage,
  { manifest }: Inspected,
): Promise<ImageConfig | undefined> {
  const { digest, size } = manifest.config;
  try {
    const text = (await opened.read({ digest, sizeBytes: size })).toString("utf8");
    requireEqualDigest(text, digest, "the image configuration");
    return parseConfig(text);
  } catch {
    ctx.signal.throwIfAborted();
    return undefined;
  }
}
