// What a caller asks of a pull, and what it gets back.
import type { ImageConfig } from "../image/config.ts";
import type { ImageManifest } from "../image/manifest.ts";
import type { ImageReference, OstreeReference } from "../image/reference.ts";
import type { RegistryAccess } from "../programs/skopeo/skopeo.ts";
import type { OnPullEvent } from "../progress/progress.ts";
import type { Protection } from "../repository/clean/protection.ts";
import type { StoredImage } from "../repository/images.ts";

export interface PullRequest {
  /** The repository's directory, as given to `ostree --repo`. */
  readonly repo: string;
  readonly reference: OstreeReference;
  /** Where the image is read instead: a storage that has a copy of what the reference names. */
  readonly copy?: ImageReference | undefined;
  readonly access?: RegistryAccess;
  /** Refuse an image without a bootable label or for another architecture. */
  readonly requiresBootable: boolean;
  /** Its SELinux policy labels images without an ostree base: the booted deployment's commit. */
  readonly policyCommit?: string | undefined;
  /** How long to wait for another writer of the repository; 60 s when not given. */
  readonly lockTimeoutMs?: number | undefined;
  readonly limits?: Partial<FetchLimits> | undefined;
}

/** When a download that does not get on is given up. */
export interface FetchLimits {
  /** Without a byte for so long, the transfer is started anew. */
  readonly stallMs: number;
  /** Without a byte for so long, over all attempts, the pull fails. */
  readonly giveUpMs: number;
  /** So many attempts in a row in which no layer became complete, and the pull fails. */
  readonly attemptsMax: number;
}

export const DEFAULT_LIMITS: FetchLimits = { stallMs: 60_000, giveUpMs: 300_000, attemptsMax: 8 };

export function limitsOf({ limits }: PullRequest): FetchLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}

export interface PullOptions {
  /** Keeps the image safe from everybody's clean-ups until the protection ends. */
  readonly protection?: Protection;
  readonly onEvent?: OnPullEvent;
}

export interface PulledImage {
  /** The merge commit, which the image's ref names. */
  readonly commit: string;
  /** Of the manifest for this machine, `sha256:…`. */
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The image was there already; nothing was fetched or changed. */
  readonly isUnchanged: boolean;
}

/** What a pull gives back that found its image in the repository. */
export function unchangedImage(stored: StoredImage): PulledImage {
  const { commit, manifestDigest, manifest, config } = stored;
  return { commit, manifestDigest, manifest, config, isUnchanged: true };
}
