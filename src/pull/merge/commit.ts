// The commit stage: one transaction after which the image is there whole, or not at all.
import { BootcError } from "../../errors.ts";
import type { TreeRef } from "../../ostree/dirtree.ts";
import type { Commit } from "../../ostree/objects.ts";
import { blobRef, imageRef } from "../../ostree/ref-names.ts";
import { readRef } from "../../repository/files.ts";
import { IMAGE_KEYS } from "../../repository/image-commit.ts";
import { addCommit, createScratch, type Scratch } from "../../repository/scratch.ts";
import { tryPublish } from "../../repository/transaction.ts";
import type { Context } from "../../system/context.ts";
import { createLabelSource, type LabelSource } from "../labels/lookups.ts";
import { canWriteObjects } from "../store/batches.ts";
import { decideLabelling, type Labelling, relabelByUs } from "./labels.ts";
import { addTrees, type MergedTree, type MergeRequest } from "./merge.ts";
import { forgetRelabelling, relabelByOstree } from "./relabel-by-ostree.ts";

export interface ImageCommitRequest extends MergeRequest {
  readonly merged: MergedTree;
  /** Policies that are open by now; without them, one is opened for this commit alone. */
  readonly labels?: LabelSource | undefined;
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
  /** Written with the image, and for the caller to delete: keeps the commit from clean-ups until then. */
  readonly protectiveRef?: string | undefined;
  /** The image's version label; shown by `ostree admin status` and in boot menus. */
  readonly version?: string | undefined;
}

export interface ImageCommit {
  readonly commit: string;
}

/**
 * Labels the merged tree where it has an SELinux policy, then writes blob refs, image ref, the protective ref
 * if any and the merge commit in one transaction. The pending refs stay: the caller deletes them. Refuses a
 * tree with two kernels.
 */
export async function commitImage(ctx: Context, request: ImageCommitRequest): Promise<ImageCommit> {
  const { merged, derived, labels } = request;
  if (merged.kernels.length > 1) {
    throw new BootcError(`the image has two kernels: ${merged.kernels.join(", ")}`, {
      kind: "integrity",
      hint: "leave one directory with a vmlinuz below /usr/lib/modules",
    });
  }
  // A base without layers on top was labelled by whoever built it.
  if (derived.length === 0) return await commitLabelled(ctx, request, NO_LABELS);
  const source = labels ?? createLabelSource(request.repo);
  try {
    return await commitLabelled(ctx, request, await decideLabelling(request, source));
  } finally {
    if (source !== labels) source.close();
  }
}

const NO_LABELS: Labelling = { by: "nobody" };

async function commitLabelled(
  ctx: Context,
  request: ImageCommitRequest,
  labelling: Labelling,
): Promise<ImageCommit> {
  const { repo } = request;
  const scratch = await createScratch(repo, (await canWriteObjects(repo)) ? "bare" : "split");
  try {
    const root = await labelledRoot(ctx, request, { scratch, labelling });
    const commit = addCommit(scratch, mergeCommit(request, { root, labelling }));
    await scratch.setRef(imageRef(request.reference), commit);
    if (request.protectiveRef !== undefined) await scratch.setRef(request.protectiveRef, commit);
    await setMissingRefs(scratch, request);
    const known = await findWhole(request);
    const publish = async () => {
      const transaction = { repo, scratch, unproven: [commit], known };
      if (!(await tryPublish(ctx, transaction))) await scratch.pull(ctx);
    };
    await publish();
    // Another program may have cleaned up meanwhile.
    if ((await setMissingRefs(scratch, request)) > 0) await publish();
    if (labelling.by === "ostree") await forgetRelabelling(ctx, repo);
    return { commit };
  } finally {
    scratch.remove();
  }
}

/** The base, and the version of the image that is stored: most of the new one is in these. */
async function findWhole({
  repo,
  base,
  reference,
}: ImageCommitRequest): Promise<readonly string[]> {
  return [base, await readRef(repo, imageRef(reference))].filter((it) => it !== undefined);
}

/** The tree with its labels; the scratch repository has what is new in it. */
async function labelledRoot(
  ctx: Context,
  { repo, merged }: ImageCommitRequest,
  { scratch, labelling }: { readonly scratch: Scratch; readonly labelling: Labelling },
): Promise<TreeRef> {
  if (labelling.by === "ostree") {
    return await relabelByOstree(ctx, { repo, merged, policy: labelling.policy });
  }
  addTrees(scratch, merged);
  if (labelling.by === "us") return await relabelByUs(ctx, { repo, merged, scratch, labelling });
  return { tree: merged.rootTree, meta: merged.rootMeta };
}

/**
 * The blob refs the repository lacks; gives their number. For one it has already, ostree would look at every
 * object of the layer once more.
 */
async function setMissingRefs(
  scratch: Scratch,
  { repo, layers }: ImageCommitRequest,
): Promise<number> {
  const present = await Promise.all(layers.map((it) => readRef(repo, blobRef(it.digest))));
  const missing = layers.filter((it, i) => present[i] !== it.commit);
  for (const layer of missing) await scratch.setRef(blobRef(layer.digest), layer.commit);
  return missing.length;
}

/** Keys sorted, as upstream's newest writes them. */
function mergeCommit(
  request: ImageCommitRequest,
  { root, labelling }: { readonly root: TreeRef; readonly labelling: Labelling },
): Commit {
  const text = (key: string, value: string) => [key, { type: "s", value }] as const;
  return {
    metadata: [
      ...(labelling.by === "us" ? [text(IMAGE_KEYS.labelledBy, labelling.key)] : []),
      text(IMAGE_KEYS.config, request.config),
      text(IMAGE_KEYS.importerVersion, request.importerVersion),
      text(IMAGE_KEYS.manifest, request.manifest),
      text(IMAGE_KEYS.manifestDigest, request.manifestDigest),
      ...(request.version === undefined ? [] : [text(IMAGE_KEYS.version, request.version)]),
    ],
    parent: request.base,
    subject: "",
    body: "",
    timestampEpoch: request.createdEpoch,
    rootTree: root.tree,
    rootMeta: root.meta,
  };
}
