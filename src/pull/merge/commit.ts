// The commit stage: one transaction after which the image is there whole, or not at all.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import {
  type Commit,
  formatCommit,
  formatDictionary,
  parseDictionary,
  sha256,
  textMetadata,
} from "../../ostree/objects.ts";
import { blobRef, imageRef, TREE_PREFIX } from "../../ostree/ref-names.ts";
import {
  checkout,
  commitDirectory,
  deleteRefs,
  readOstreeFeatures,
} from "../../programs/ostree/repo.ts";
import { readCommit, readDetached, readRef, requireCommit } from "../../repository/files.ts";
import { createScratch, makeWorkDirectory, type Scratch } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import type { MergedTree, MergeRequest } from "./merge.ts";
import type { TreeRef } from "./trees.ts";

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
  /** Written with the image, and for the caller to delete: keeps the commit from clean-ups until then. */
  readonly protectiveRef?: string | undefined;
  /** The image's version label; shown by `ostree admin status` and in boot menus. */
  readonly version?: string | undefined;
}

export interface ImageCommit {
  readonly commit: string;
}

const KEYS = {
  manifestDigest: "ostree.manifest-digest",
  manifest: "ostree.manifest",
  config: "ostree.container.image-config",
  importerVersion: "ostree.importer.version",
  version: "version",
} as const;

/**
 * Relabels the merged tree where it carries an SELinux policy, then writes blob refs, image ref, the
 * protective ref if any and the merge commit in one transaction. The pending refs stay: the caller
 * deletes them. Refuses a tree with two kernels.
 */
export async function commitImage(ctx: Context, request: ImageCommitRequest): Promise<ImageCommit> {
  const { repo, merged, derived } = request;
  if (merged.kernels.length > 1) {
    throw new BootcError(`the image has two kernels: ${merged.kernels.join(", ")}`, {
      kind: "integrity",
      hint: "leave one directory with a vmlinuz below /usr/lib/modules",
    });
  }
  // A base without layers on top was labelled by whoever built it.
  const isLabelled = merged.selinuxPolicy === undefined || derived.length === 0;
  const root = isLabelled
    ? { tree: merged.rootTree, meta: merged.rootMeta }
    : await relabel(ctx, request);
  const scratch = await createScratch(repo);
  try {
    if (isLabelled) addTrees(scratch, merged);
    const commit = addCommit(scratch, mergeCommit(request, root));
    await scratch.setRef(imageRef(request.reference), commit);
    if (request.protectiveRef !== undefined) await scratch.setRef(request.protectiveRef, commit);
    await setMissingRefs(scratch, request);
    await scratch.pull(ctx);
    // Another program may have cleaned up meanwhile.
    if ((await setMissingRefs(scratch, request)) > 0) await scratch.pull(ctx);
    if (!isLabelled) await deleteRefs(ctx, repo, [UNLABELLED_REF, LABELLED_REF]);
    return { commit };
  } finally {
    scratch.remove();
  }
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

function addTrees(scratch: Scratch, merged: MergedTree): void {
  for (const [checksum, bytes] of merged.newTrees) scratch.add(checksum, "dirtree", bytes);
}

function addCommit(scratch: Scratch, commit: Commit): string {
  const bytes = formatCommit(commit);
  const checksum = sha256(bytes);
  scratch.add(checksum, "commit", bytes);
  return checksum;
}

/** Keys sorted, as upstream's newest writes them. */
function mergeCommit(request: ImageCommitRequest, root: TreeRef): Commit {
  const text = (key: string, value: string) => [key, { type: "s", value }] as const;
  return {
    metadata: [
      text(KEYS.config, request.config),
      text(KEYS.importerVersion, request.importerVersion),
      text(KEYS.manifest, request.manifest),
      text(KEYS.manifestDigest, request.manifestDigest),
      ...(request.version === undefined ? [] : [text(KEYS.version, request.version)]),
    ],
    parent: request.base,
    subject: "",
    body: "",
    timestampEpoch: request.createdEpoch,
    rootTree: root.tree,
    rootMeta: root.meta,
  };
}

/** Keeps the tree before labelling alive while ostree works on it. */
const UNLABELLED_REF = `${TREE_PREFIX}/unlabelled`;
const LABELLED_REF = `${TREE_PREFIX}/labelled`;

/** Has ostree label the whole tree by the policy in it: checked out by hard links, committed again. */
async function relabel(ctx: Context, request: ImageCommitRequest): Promise<TreeRef> {
  const { repo, merged } = request;
  const { features } = await readOstreeFeatures(ctx);
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
    const args = ["--selinux-policy-from-base", ...speedup, "--timestamp=@0"];
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

/** Reads a merge commit; undefined when there is no such commit, or it has no image metadata. */
export async function readImageCommit(
  repo: string,
  commit: string,
): Promise<ImageMetadata | undefined> {
  const object = await readCommit(repo, commit);
  if (object === undefined) return undefined;
  const value = (key: string) => textMetadata(object.metadata, key);
  const manifestDigest = value(KEYS.manifestDigest);
  const manifest = value(KEYS.manifest);
  if (manifestDigest === undefined || manifest === undefined) return undefined;
  const config = value(KEYS.config);
  return {
    commit,
    manifestDigest,
    manifest,
    config: config === "null" ? undefined : config,
    importerVersion: value(KEYS.importerVersion),
    version: value(KEYS.version),
    createdEpoch: object.timestampEpoch,
    parent: object.parent,
    cachedUpdate: cachedUpdateOf(await readDetachedEntries(repo, commit)),
  };
}

const CACHED_KEYS = {
  manifestDigest: "ostree-ext.cached.manifest-digest",
  manifest: "ostree-ext.cached.manifest",
  config: "ostree-ext.cached.config",
} as const;

async function readDetachedEntries(repo: string, commit: string): Promise<Commit["metadata"]> {
  const bytes = await readDetached(repo, commit);
  return bytes === undefined ? [] : parseDictionary(bytes);
}

/** All three or none. */
function cachedUpdateOf(entries: Commit["metadata"]): CachedUpdate | undefined {
  const manifestDigest = textMetadata(entries, CACHED_KEYS.manifestDigest);
  const manifest = textMetadata(entries, CACHED_KEYS.manifest);
  const config = textMetadata(entries, CACHED_KEYS.config);
  if (manifestDigest === undefined || manifest === undefined || config === undefined) {
    return undefined;
  }
  return { manifestDigest, manifest, config };
}

/** Remembers (or with undefined forgets) the update seen by `--check`, beside the merge commit. */
export async function writeCachedUpdate(
  ctx: Context,
  { repo, commit }: { readonly repo: string; readonly commit: string },
  update: CachedUpdate | undefined,
): Promise<void> {
  const entries = await readDetachedEntries(repo, commit);
  const ours = new Set<string>(Object.values(CACHED_KEYS));
  const others = entries.filter(([key]) => !ours.has(key));
  const cached = update === undefined ? [] : cachedEntries(update);
  if (cached.length === 0 && others.length === entries.length) return;
  const object = await requireCommit(repo, commit);
  const scratch = await createScratch(repo);
  try {
    addCommit(scratch, object);
    scratch.add(commit, "commitmeta", formatDictionary([...others, ...cached]));
    await scratch.pull(ctx, [commit]);
  } finally {
    scratch.remove();
  }
}

function cachedEntries(update: CachedUpdate): Commit["metadata"] {
  return (["manifestDigest", "manifest", "config"] as const).map((key) => [
    CACHED_KEYS[key],
    { type: "s", value: update[key] },
  ]);
}
