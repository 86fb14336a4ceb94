// A commit again, with IMA signatures at all its files: what else it says and contains stays the same.

import { type CommitObjects, readCommitObjects } from "../export/object-layer.ts";
import { readDirtreeBytes } from "../export/tree.ts";
import { type Dirtree, formatDirtree, parseDirtree, treeChecksum } from "../ostree/dirtree.ts";
import { requireCommit } from "../repository/files.ts";
import { addCommit, createScratch, type Scratch } from "../repository/scratch.ts";
import type { Context } from "../system/context.ts";
import { type ImaSigning, signObjects } from "./signed-objects.ts";

export interface SignedCommitRequest {
  readonly repo: string;
  readonly commit: string;
  /** What points to the new commit in the end. */
  readonly ref: string;
  readonly signing: ImaSigning;
}

/** One transaction; the checksum of the new commit. Only under the lock of the repository. */
export async function signCommit(ctx: Context, request: SignedCommitRequest): Promise<string> {
  const { repo, commit, ref, signing } = request;
  const objects = await readCommitObjects(repo, commit);
  const scratch = await createScratch(repo, "archive");
  try {
    const signed = await signObjects(ctx, objects.paths.keys(), { repo, scratch, signing });
    const rootTree = rewriteTree({ repo, scratch, signed }, objects);
    const checksum = addCommit(scratch, { ...(await requireCommit(repo, commit)), rootTree });
    await scratch.setRef(ref, checksum);
    await scratch.pull(ctx);
    return checksum;
  } finally {
    scratch.remove();
  }
}

interface Rewriting {
  readonly repo: string;
  readonly scratch: Scratch;
  readonly signed: ReadonlyMap<string, string>;
}

/** Adds the changed directory objects; the checksum of the root's. */
function rewriteTree(
  { repo, scratch, signed }: Rewriting,
  { rootTree }: Pick<CommitObjects, "rootTree">,
): string {
  const known = new Map<string, string>();
  const rewrite = (tree: string): string => {
    const before = known.get(tree);
    if (before !== undefined) return before;
    const { files, dirs } = parseDirtree(readDirtreeBytes(repo, tree));
    const changed: Dirtree = {
      files: files.map((it) => ({ ...it, checksum: signed.get(it.checksum) ?? it.checksum })),
      dirs: dirs.map((it) => ({ ...it, tree: rewrite(it.tree) })),
    };
    const bytes = formatDirtree(changed);
    const checksum = treeChecksum(bytes);
    if (checksum !== tree) scratch.add(checksum, "dirtree", bytes);
    known.set(tree, checksum);
    return checksum;
  };
  return rewrite(rootTree);
}
