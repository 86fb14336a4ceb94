// The files and directories of a commit, with their paths, as an export walks them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDirtree } from "../ostree/dirtree.ts";
import {
  EMPTY_TREE,
  EMPTY_TREE_BYTES,
  type FileMetadata,
  objectPath,
  parseDirmeta,
} from "../ostree/objects.ts";

/** A directory before its files, and these before its subdirectories. */
export type TreeStep =
  | {
      readonly kind: "directory";
      /** Without a slash in front; the root is an empty text. */
      readonly path: string;
      readonly tree: string;
      readonly meta: string;
    }
  | { readonly kind: "file"; readonly path: string; readonly checksum: string };

export interface ExportedTree {
  readonly repo: string;
  readonly rootTree: string;
  readonly rootMeta: string;
}

export function* walkCommitted({ repo, rootTree, rootMeta }: ExportedTree): Generator<TreeStep> {
  yield* walkDirectory(repo, { kind: "directory", path: "", tree: rootTree, meta: rootMeta });
}

function* walkDirectory(
  repo: string,
  directory: TreeStep & { readonly kind: "directory" },
): Generator<TreeStep> {
  yield directory;
  const { files, dirs } = parseDirtree(readDirtreeBytes(repo, directory.tree));
  const within = (name: string) => (directory.path === "" ? name : `${directory.path}/${name}`);
  for (const { name, checksum } of files) yield { kind: "file", path: within(name), checksum };
  for (const { name, tree, meta } of dirs) {
    yield* walkDirectory(repo, { kind: "directory", path: within(name), tree, meta });
  }
}

export function readDirtreeBytes(repo: string, checksum: string): Uint8Array {
  if (checksum === EMPTY_TREE) return EMPTY_TREE_BYTES;
  return readFileSync(join(repo, objectPath(checksum, "dirtree")));
}

/** The metadata of directories, each read once. */
export function createMetaReader(repo: string): (checksum: string) => FileMetadata {
  const known = new Map<string, FileMetadata>();
  return (checksum) => {
    const meta =
      known.get(checksum) ??
      parseDirmeta(readFileSync(join(repo, objectPath(checksum, "dirmeta"))));
    known.set(checksum, meta);
    return meta;
  };
}

/** Where a path of a commit is in a container: ostree keeps `/etc` in `/usr/etc`. */
export function containerPath(path: string): string {
  if (path === "usr/etc") return "etc";
  return path.startsWith("usr/etc/") ? path.slice("usr/".length) : path;
}
