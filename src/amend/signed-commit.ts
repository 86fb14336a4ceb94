// A commit again, with IMA signatures at all its files. What else it contains stays the same, and what it
// says as well, unless that would be wrong for the new files.

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
    const before = await requireCommit(repo, commit);
    const metadata = before.metadata.filter(([key]) => !STALE.includes(key));
    const checksum = addCommit(scratch, { ...before, metadata, rootTree });
    await scratch.setRef(ref, checksum);
    await scratch.pull(ctx);
    return checksum;
  } finally {
    scratch.remove();
  }
}

/** What is computed from the objects of the old commit: their sizes, and the digest of a composefs image. */
const STALE = ["ostree.sizes", "ostree.composefs.digest.v0"];

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
