// Labels of a merged tree made by ostree, where we cannot make them: the whole tree is checked out for it.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TreeRef } from "../../ostree/dirtree.ts";
import type { Commit } from "../../ostree/objects.ts";
import { TREE_PREFIX } from "../../ostree/ref-names.ts";
import { checkout, commitDirectory, deleteRefs } from "../../programs/ostree/repo.ts";
import { readOstree } from "../../programs/ostree/version.ts";
import { requireCommit } from "../../repository/files.ts";
import { addCommit, createScratch, makeWorkDirectory } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import type { ImagePolicy } from "../labels/policy.ts";
import { writePolicyFolder } from "../labels/policy-folder.ts";
import { addTrees, type MergedTree } from "./merge.ts";

/** Keeps the tree before labelling alive while ostree works on it. */
const UNLABELLED_REF = `${TREE_PREFIX}/unlabelled`;
const LABELLED_REF = `${TREE_PREFIX}/labelled`;

export interface OstreeLabelling {
  readonly repo: string;
  readonly merged: MergedTree;
  /** The one in the tree. */
  readonly policy: ImagePolicy;
}

/** Has ostree label the whole tree: checked out by hard links, committed again. */
export async function relabelByOstree(
  ctx: Context,
  { repo, merged, policy }: OstreeLabelling,
): Promise<TreeRef> {
  const { features } = await readOstree(ctx);
  const scratch = await createScratch(repo);
  const work = await makeWorkDirectory(repo);
  try {
    addTrees(scratch, merged);
    const root = { tree: merged.rootTree, meta: merged.rootMeta };
    const commit = addCommit(scratch, plainCommit(root));
    await scratch.setRef(UNLABELLED_REF, commit);
    await scratch.pull(ctx);
    // Not `work` itself: ostree deletes what is directly in tmp and has a checkout's time stamp.
    const directory = join(work, "root");
    await checkout(ctx, { repo, commit, directory, args: ["-H", "-z"] });
    // Older ones keep 32 bits of an inode's number, and might take one file for another.
    const speedup = features.has("inode64") ? ["--link-checkout-speedup"] : [];
    const policyDir = join(work, "policy");
    await writePolicyFolder(policyDir, policy);
    const args = [`--selinux-policy=${policyDir}`, ...speedup, "--timestamp=@0"];
    const labelled = await commitDirectory(ctx, { repo, ref: LABELLED_REF, directory, args });
    const { rootTree, rootMeta } = await requireCommit(repo, labelled);
    return { tree: rootTree, meta: rootMeta };
  } finally {
    scratch.remove();
    await rm(work, { recursive: true, force: true });
  }
}

function plainCommit(root: TreeRef): Commit {
  return {
    metadata: [],
    parent: undefined,
    subject: "",
    body: "",
    timestampEpoch: 0,
    rootTree: root.tree,
    rootMeta: root.meta,
  };
}

/** Deletes the refs that kept both trees alive. */
export async function forgetRelabelling(ctx: Context, repo: string): Promise<void> {
  await deleteRefs(ctx, repo, [UNLABELLED_REF, LABELLED_REF]);
}
