// The merge stage: the trees of all layers become one, by changing directory objects alone.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";

export interface MergeRequest {
  readonly repo: string;
  /** The commit of the image's ostree base: taken as it is, without whiteouts. */
  readonly base?: string | undefined;
  /** The commits of the derived layers, lowest first. */
  readonly derived: readonly string[];
}

export interface MergedTree {
  /** Checksum of the root's dirtree object. */
  readonly rootTree: string;
  /** Checksum of the root's dirmeta object. */
  readonly rootMeta: string;
  /** Directory objects the repository does not have, by checksum. */
  readonly newTrees: ReadonlyMap<string, Uint8Array>;
  /** Versions below usr/lib/modules that have a kernel. */
  readonly kernels: readonly string[];
  /** The policy named by usr/etc/selinux/config whose contexts exist in the tree. */
  readonly selinuxPolicy: string | undefined;
}

/** Writes nothing. Errors: a damaged or missing object (`integrity`), a whiteout without a name. */
export async function mergeLayers(_ctx: Context, _request: MergeRequest): Promise<MergedTree> {
  throw new BootcError("layers cannot be merged yet");
}
