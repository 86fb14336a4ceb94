// The merge stage: the trees of all layers become one, by changing only directory objects.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { TreeRef } from "../../ostree/dirtree.ts";
import { EMPTY_TREE, EMPTY_TREE_BYTES, objectPath } from "../../ostree/objects.ts";
import { printable } from "../../printable.ts";
import { readFileSize, readLinkTarget, requireCommit } from "../../repository/files.ts";
import type { Scratch } from "../../repository/scratch.ts";
import type { Context } from "../../system/context.ts";
import { isMissing } from "../../system/files.ts";
import {
  applyLayer,
  closeTree,
  emptyTree,
  hasWhiteouts,
  type MutableTree,
  openPath,
  openTree,
  type ReplacedLinks,
  type TreeStore,
} from "./trees.ts";

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
  /** Symbolic links in whose place a higher layer has a directory: their paths, and where they led. */
  readonly replacedLinks: ReadonlyMap<string, string>;
}

/** A merge under way: the lowest layers are laid over one another. `mergeLayers` uses it up. */
export interface BegunMerge {
  readonly hasBase: boolean;
  /** What is laid down, lowest first. */
  readonly commits: string[];
  readonly made: Map<string, Uint8Array>;
  readonly store: TreeStore;
  readonly replaced: ReplacedLinks;
  root: MutableTree | undefined;
}

/** Lays the lowest layers of an image over one another, for `mergeLayers` to go on from. Writes nothing. */
export async function beginMerge(request: MergeRequest): Promise<BegunMerge> {
  const made = new Map<string, Uint8Array>();
  const store = createStore(request.repo, made);
  const hasBase = request.base !== undefined;
  const replaced: ReplacedLinks = new Map();
  const merge: BegunMerge = { hasBase, commits: [], made, store, replaced, root: undefined };
  await continueMerge(merge, request);
  return merge;
}

function commitsOf({ base, derived }: MergeRequest): readonly string[] {
  return base === undefined ? derived : [base, ...derived];
}

/** Lays what is missing of the layers of `request` over those that are there. */
async function continueMerge(merge: BegunMerge, request: MergeRequest): Promise<void> {
  for (const commit of commitsOf(request).slice(merge.commits.length)) {
    const { rootTree: tree, rootMeta: meta } = await requireCommit(request.repo, commit);
    if (merge.root === undefined) merge.root = openFirst({ tree, meta }, merge);
    else applyLayer(merge.root, { tree, meta }, merge);
    merge.commits.push(commit);
  }
}

function isBeginningOf(begun: BegunMerge, request: MergeRequest): boolean {
  const commits = commitsOf(request);
  return (
    begun.hasBase === (request.base !== undefined) &&
    begun.commits.every((it, i) => it === commits[i])
  );
}

/**
 * Writes nothing. `begun` is used when it is a beginning of this merge. Errors: a damaged or missing object
 * (`integrity`), a whiteout without a name.
 */
export async function mergeLayers(request: MergeRequest, begun?: BegunMerge): Promise<MergedTree> {
  const { repo } = request;
  const isUsable = begun !== undefined && isBeginningOf(begun, request);
  const merge = isUsable ? begun : await beginMerge(request);
  await continueMerge(merge, request);
  const { root, store, made, replaced: replacedLinks } = merge;
  if (root === undefined) throw new BootcError("an image without layers", { kind: "integrity" });
  await removePlaceholders(repo, root, store);
  const kernels = findKernels(root, store);
  if (kernels.length > 0) addMountPoint(root);
  const { tree: rootTree, meta: rootMeta } = closeTree(root, store);
  const newTrees = withoutKnown(repo, made);
  return { rootTree, rootMeta, newTrees, kernels, replacedLinks };
}

/** Trees of the repository and those made here, read synchronously: thousands of tiny files. */
function createStore(repo: string, made: Map<string, Uint8Array>): TreeStore {
  return {
    load(checksum) {
      const known = made.get(checksum);
      if (known !== undefined) return known;
      if (checksum === EMPTY_TREE) return EMPTY_TREE_BYTES;
      try {
        return readFileSync(join(repo, objectPath(checksum, "dirtree")));
      } catch (cause) {
        if (!isMissing(cause)) throw cause;
        throw new BootcError(`the directory object ${checksum} is not in the repository`, {
          kind: "integrity",
          hint: "run `ostree fsck` on the repository",
        });
      }
    },
    store: (checksum, bytes) => void made.set(checksum, bytes),
    linkTarget: (checksum) => readLinkTarget(repo, checksum),
  };
}

/** The base stays as it is; the first derived layer makes the root, its markers having nothing to hide. */
function openFirst(first: TreeRef, { hasBase, store, replaced }: BegunMerge): MutableTree {
  if (hasBase || !hasWhiteouts(first.tree, store)) return openTree(first, store);
  const root = emptyTree(first.meta);
  applyLayer(root, first, { store, replaced });
  return root;
}

/** Files a container runtime mounts over during a build, and leaves behind empty. */
const PLACEHOLDERS = ["hostname", "resolv.conf"];

async function removePlaceholders(
  repo: string,
  root: MutableTree,
  store: TreeStore,
): Promise<void> {
  const etc = openPath(root, ["usr", "etc"], store);
  if (etc === undefined) return;
  for (const name of PLACEHOLDERS) {
    const checksum = etc.files.get(name);
    if (checksum !== undefined && (await readFileSize(repo, checksum)) === 0)
      etc.files.delete(name);
  }
}

/**
 * What boots needs a /var to mount one over. Below 2024.3 ostree has the content of /var moved away with
 * the directory itself, and an image without an ostree base would be left without; upstream's is.
 */
function addMountPoint(root: MutableTree): void {
  if (root.dirs.has("var") || root.files.has("var")) return;
  root.dirs.set("var", emptyTree(root.meta));
}

function findKernels(root: MutableTree, store: TreeStore): readonly string[] {
  const modules = openPath(root, ["usr", "lib", "modules"], store);
  if (modules === undefined) return [];
  const versions = [...modules.dirs.keys()].sort();
  return versions.filter((it) => openPath(modules, [it], store)?.files.has("vmlinuz"));
}

function withoutKnown(
  repo: string,
  made: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Uint8Array> {
  const kept = new Map<string, Uint8Array>();
  for (const [checksum, bytes] of made) {
    if (!existsSync(join(repo, objectPath(checksum, "dirtree")))) kept.set(checksum, bytes);
  }
  return kept;
}

const NAMED_LINKS_MAX = 5;

/** The author of a layer may not know of the link: whatever is reached through it is gone with it. */
export function noteReplacedLinks(ctx: Context, { replacedLinks }: MergedTree): void {
  if (replacedLinks.size === 0) return;
  const named = [...replacedLinks].slice(0, NAMED_LINKS_MAX);
  const names = named
    .map(([path, target]) => `/${printable(path)} (to ${printable(target)})`)
    .join(", ");
  const more = replacedLinks.size - named.length;
  const others = more > 0 ? ` and ${more} more` : "";
  ctx.note(`warning: layers have directories in place of symbolic links: ${names}${others}`);
}

/** Adds the directories that the merge made. */
export function addTrees(scratch: Scratch, merged: MergedTree): void {
  for (const [checksum, bytes] of merged.newTrees) scratch.add(checksum, "dirtree", bytes);
}
