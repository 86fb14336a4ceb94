// The tree of a commit, read as the system deployed from it will see it, without a process.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { type Dirtree, parseDirtree } from "../ostree/dirtree.ts";
import { EMPTY_TREE, EMPTY_TREE_BYTES, objectPath } from "../ostree/objects.ts";
import type { FileTree } from "../system/root/file-tree.ts";
import { resolveInTree } from "../system/root/in-root.ts";
import { readFileContent, readLinkTarget, requireCommit } from "./files.ts";

/** What is at a path of a commit. */
export type TreeEntry =
  | { readonly kind: "file"; readonly checksum: string }
  | { readonly kind: "directory"; readonly tree: string };

export interface CommittedTree extends FileTree {
  /** What is at `path` itself, no link followed; undefined when nothing is. A link is a file. */
  find(path: string): Promise<TreeEntry | undefined>;
}

export interface TreeOptions {
  /** A commit keeps `/etc` in `usr/etc`. Here it is found under both names, unless this says otherwise. */
  readonly etc?: "of the deployed system" | "as stored";
}

export async function openCommit(
  repo: string,
  commit: string,
  options: TreeOptions = {},
): Promise<CommittedTree> {
  const { rootTree } = await requireCommit(repo, commit);
  return openRepoTree({ repo, rootTree }, options);
}

export interface TreeSource {
  readonly repo: string;
  /** Checksum of the root's directory object. */
  readonly rootTree: string;
  /** Directory objects that are not in the repository, by checksum. */
  readonly newTrees?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** The same for a tree that no commit has yet. */
export function openRepoTree(
  { repo, rootTree, newTrees }: TreeSource,
  { etc = "of the deployed system" }: TreeOptions = {},
): CommittedTree {
  const read = readDirtrees(repo, newTrees);
  const find = (path: string) => findEntry(read, rootTree, path);
  const readLink = async (path: string) => {
    const entry = await find(path);
    if (entry?.kind === "file") return readLinkTarget(repo, entry.checksum);
    const isMoved = etc === "of the deployed system" && path === "etc" && entry === undefined;
    return isMoved ? "usr/etc" : undefined;
  };
  const resolve = (path: string) => resolveInTree(path, readLink);
  const readTextIfAny = async (path: string) => {
    const entry = await find(await resolve(path));
    if (entry?.kind !== "file") return undefined;
    return (await readFileContent(repo, entry.checksum)).toString();
  };
  return {
    find,
    readLink,
    async readNames(path) {
      const entry = await find(await resolve(path));
      if (entry?.kind !== "directory") return [];
      const { files, dirs } = await read(entry.tree);
      return [...files, ...dirs].map((it) => it.name).sort();
    },
    readTextIfAny,
    async readText(path) {
      const text = await readTextIfAny(path);
      if (text !== undefined) return text;
      throw new BootcError(`\`/${path}\`: there is no such file in the image`);
    },
  };
}

type ReadDirtree = (checksum: string) => Promise<Dirtree>;

/** Each directory is read once: the ones at the top are on the way to everything. */
function readDirtrees(repo: string, newTrees: TreeSource["newTrees"]): ReadDirtree {
  const known = new Map<string, Promise<Dirtree>>();
  const load = async (checksum: string) => {
    if (checksum === EMPTY_TREE) return EMPTY_TREE_BYTES;
    return newTrees?.get(checksum) ?? (await readFile(join(repo, objectPath(checksum, "dirtree"))));
  };
  return async (checksum) => {
    const found = known.get(checksum) ?? load(checksum).then(parseDirtree);
    known.set(checksum, found);
    return await found;
  };
}

async function findEntry(
  read: ReadDirtree,
  rootTree: string,
  path: string,
): Promise<TreeEntry | undefined> {
  let at: TreeEntry = { kind: "directory", tree: rootTree };
  for (const name of path.split("/").filter((it) => it !== "")) {
    if (at.kind === "file") return undefined;
    const { files, dirs } = await read(at.tree);
    const dir = dirs.find((it) => it.name === name);
    const file = files.find((it) => it.name === name);
    if (dir !== undefined) at = { kind: "directory", tree: dir.tree };
    else if (file !== undefined) at = { kind: "file", checksum: file.checksum };
    else return undefined;
  }
  return at;
}
