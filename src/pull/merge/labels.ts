// Labels of a merged tree whose image has an SELinux policy: made by ourselves, or else by ostree.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TreeRef } from "../../ostree/dirtree.ts";
import { EMPTY_TREE, EMPTY_TREE_BYTES, objectPath, textMetadata } from "../../ostree/objects.ts";
import { IMAGE_PREFIX, imageRef } from "../../ostree/ref-names.ts";
import { listRefs, readCommit, readRef } from "../../repository/files.ts";
import { IMAGE_KEYS } from "../../repository/image-commit.ts";
import type { Scratch } from "../../repository/scratch.ts";
import { readReserve } from "../../repository/space.ts";
import { openRepoTree } from "../../repository/tree.ts";
import type { Context } from "../../system/context.ts";
import { isMissing } from "../../system/files.ts";
import type { LabelSource } from "../labels/lookups.ts";
import { openObjects } from "../labels/objects.ts";
import { type ImagePolicy, readPolicy } from "../labels/policy.ts";
import { relabelTree } from "../labels/relabel.ts";
import { canWriteObjects } from "../store/batches.ts";
import type { LabelOf } from "../store/sink.ts";
import { createObjectWriter } from "../store/write-objects.ts";
import type { MergedTree } from "./merge.ts";

/** How the tree of an image gets its labels. */
export type Labelling =
  | { readonly by: "nobody" }
  | { readonly by: "ostree"; readonly policy: ImagePolicy }
  | {
      readonly by: "us";
      readonly labelOf: LabelOf;
      /** Of the policy; the image's commit has it. */
      readonly key: string;
      /** A tree that this policy has labelled. */
      readonly known: TreeRef | undefined;
    };

export interface LabellingRequest {
  readonly repo: string;
  readonly merged: MergedTree;
  /** The image as it is printed. */
  readonly reference: string;
  readonly base?: string | undefined;
}

/** Errors: a policy that libselinux or ostree would refuse. */
export async function decideLabelling(
  request: LabellingRequest,
  labels: LabelSource,
): Promise<Labelling> {
  const { repo, merged } = request;
  const { rootTree, newTrees } = merged;
  const policy = await readPolicy({ repo, tree: openRepoTree({ repo, rootTree, newTrees }) });
  if (policy === undefined) return { by: "nobody" };
  const labelOf = (await canWriteObjects(repo)) ? await labels.open(policy) : undefined;
  if (labelOf === undefined) return { by: "ostree", policy };
  const { key } = policy;
  return { by: "us", labelOf, key, known: await findKnown(request, key) };
}

/**
 * The tree of a stored image that was labelled by the same policy: if possible that of this image's last
 * version, otherwise that of one with the same base.
 */
async function findKnown(
  { repo, reference, base }: LabellingRequest,
  key: string,
): Promise<TreeRef | undefined> {
  const refs = [imageRef(reference), ...(await listRefs(repo, IMAGE_PREFIX))];
  const commits = await Promise.all(
    refs.map(async (ref) => {
      const checksum = await readRef(repo, ref);
      return checksum === undefined ? undefined : await readCommit(repo, checksum);
    }),
  );
  const alike = commits.filter(
    (it) => it !== undefined && textMetadata(it.metadata, IMAGE_KEYS.labelledBy) === key,
  );
  const isFirst = commits[0] !== undefined && alike[0] === commits[0];
  const found = isFirst ? alike[0] : (alike.find((it) => it?.parent === base) ?? alike[0]);
  return found && { tree: found.rootTree, meta: found.rootMeta };
}

export interface OwnLabelling {
  readonly repo: string;
  readonly merged: MergedTree;
  /** Of mode `bare`. */
  readonly scratch: Scratch;
  readonly labelling: Extract<Labelling, { by: "us" }>;
}

/** The labelled tree. The scratch repository gets what has a new label, and the directories above it. */
export async function relabelByUs(
  { signal }: Context,
  { repo, merged, scratch, labelling }: OwnLabelling,
): Promise<TreeRef> {
  const objects = createObjectWriter({
    scratch,
    shared: repo,
    reserveBytes: await readReserve(repo),
  });
  const loadKnown = (checksum: string) => readTreeIfAny(repo, checksum);
  const root = { tree: merged.rootTree, meta: merged.rootMeta };
  try {
    return await relabelTree(root, {
      ...labelling,
      objects: openObjects({ repo, scratch, objects }),
      scratch,
      load: (checksum) => merged.newTrees.get(checksum) ?? readTree(repo, checksum),
      loadKnown,
      signal,
    });
  } finally {
    await objects.settle();
    await objects.drain();
  }
}

function readTree(repo: string, checksum: string): Uint8Array {
  if (checksum === EMPTY_TREE) return EMPTY_TREE_BYTES;
  return readFileSync(join(repo, objectPath(checksum, "dirtree")));
}

/** A stored image may have lost an object. */
function readTreeIfAny(repo: string, checksum: string): Uint8Array | undefined {
  try {
    return readTree(repo, checksum);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
