// The plan stage: looks at the manifest alone and says what a pull would have to do.
import { BootcError } from "../errors.ts";
import type { ImageConfig } from "../image/config.ts";
import type { ImageLayer } from "../image/layer-plan.ts";
import type { ImageManifest } from "../image/manifest.ts";
import type { ImageReference } from "../image/reference.ts";
import type { Context } from "../system/context.ts";
import type { PullRequest } from "./request.ts";

export interface PullPlan {
  readonly request: PullRequest;
  /** What is pulled: the reference without a tag where there is a digest as well. */
  readonly image: ImageReference;
  /** The image of this name in the repository. */
  readonly stored: StoredImage | undefined;
  /** The stored image is the one the registry has: same manifest, or same configuration. */
  readonly isUnchanged: boolean;
  /** Of the manifest for this machine; the stored image's when unchanged. */
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly layers: readonly PlannedLayer[];
  /** Compressed size of the layers that are not in the repository. */
  readonly neededBytes: number;
}

export interface PlannedLayer extends ImageLayer {
  /** The commit of this layer, when the repository has it. */
  readonly commit: string | undefined;
}

/** An image in a repository. */
export interface StoredImage {
  readonly commit: string;
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/**
 * Finds out what the reference names now and what of it the repository lacks. Changes nothing.
 * Errors: `network`, `authentication`, `policy` (only a default that vouches for nothing: skopeo
 * evaluates the policy when it copies), `integrity`, `unsupported`.
 */
export async function planPull(_ctx: Context, _request: PullRequest): Promise<PullPlan> {
  throw new BootcError("images cannot be pulled yet");
}

/** Remembers a planned update beside the stored image, so that `status` can show it. */
export async function recordUpdate(_ctx: Context, _plan: PullPlan): Promise<void> {
  throw new BootcError("updates cannot be recorded yet");
}
