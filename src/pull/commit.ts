// The commit stage: one transaction after which the image is there whole, or not at all.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import type { MergedTree, MergeRequest } from "./merge.ts";

export interface ImageCommitRequest extends MergeRequest {
  readonly merged: MergedTree;
  /** The image as it is printed, `docker://…`; its ref is moved to the new commit. */
  readonly reference: string;
  /** All layers of the manifest, in its order: their blob refs are written with the image. */
  readonly layers: readonly { readonly digest: string; readonly commit: string }[];
  readonly manifestDigest: string;
  /** OCI manifest, canonical JSON. */
  readonly manifest: string;
  /** Image config, canonical JSON. */
  readonly config: string;
  readonly createdEpoch: number;
  readonly importerVersion: string;
  /** The image's version label; shown by `ostree admin status` and in boot menus. */
  readonly version?: string | undefined;
}

export interface ImageCommit {
  readonly commit: string;
}

/**
 * Relabels the merged tree where it carries an SELinux policy, then writes blob refs, image ref, the
 * protective ref and the merge commit in one transaction. The pending and protective refs stay until
 * `releasePending`. Refuses a tree with two kernels.
 */
export async function commitImage(
  _ctx: Context,
  _request: ImageCommitRequest,
): Promise<ImageCommit> {
  throw new BootcError("images cannot be committed yet");
}

/** Deletes every pending ref and the protective ref: the pull is over, or given up. */
export async function releasePending(_ctx: Context, _repo: string): Promise<void> {
  throw new BootcError("images cannot be committed yet");
}

/** What a merge commit says about its image. */
export interface ImageMetadata {
  readonly commit: string;
  readonly manifestDigest: string;
  /** JSON text, as stored. */
  readonly manifest: string;
  /** JSON text, as stored; undefined where very old data has none. */
  readonly config: string | undefined;
  readonly importerVersion: string | undefined;
  readonly version: string | undefined;
  readonly createdEpoch: number;
  readonly parent: string | undefined;
  /** The update seen by the last `--check`, if any. */
  readonly cachedUpdate: CachedUpdate | undefined;
}

export interface CachedUpdate {
  readonly manifestDigest: string;
  readonly manifest: string;
  readonly config: string;
}

/** Reads a merge commit; undefined when it is a commit without image metadata. */
export async function readImageCommit(
  _repo: string,
  _commit: string,
): Promise<ImageMetadata | undefined> {
  throw new BootcError("images cannot be read yet");
}

/** Remembers (or with undefined forgets) the update seen by `--check`, beside the merge commit. */
export async function writeCachedUpdate(
  _ctx: Context,
  _target: { readonly repo: string; readonly commit: string },
  _update: CachedUpdate | undefined,
): Promise<void> {
  throw new BootcError("cached updates cannot be written yet");
}
