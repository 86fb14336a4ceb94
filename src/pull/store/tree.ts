// The directory tree of a layer while its entries arrive in any order, as ostree's tar reader builds it.
import { formatDirtree, type TreeDir, treeChecksum } from "../../ostree/dirtree.ts";
import {
  EMPTY_TREE,
  FILE_TYPES,
  type FileMetadata,
  formatDirmeta,
  sha256,
} from "../../ostree/objects.ts";
import { damagedTar } from "../../tar/header.ts";
import type { LabelOf } from "./sink.ts";
import type { Owner } from "./write-objects.ts";
import { metadataKey, withLabel } from "./xattrs.ts";

/**
 * Where an entry's parent is missing, it and all directories above it, known or not, get the mode 0755 and
 * the owner of the entry: so does ostree.
 */
export interface LayerTree {
  addDirectory(path: string, meta: FileMetadata): void;
  addFile(path: string, owner: Owner, checksum: string): void;
  /** Links are looked at when all files are there, whatever came later in their places. */
  addHardLink(path: string, owner: Owner, target: string): void;
  /** Hands over all objects of the tree; gives its root. */
  finish(add: AddObject): { readonly tree: string; readonly meta: string };
}

export type AddObject = (checksum: string, kind: "dirtree" | "dirmeta", bytes: Uint8Array) => void;

/** Most directories of a layer lack files or directories of their own, and layers repeat thousands. */
interface Directory {
  meta: FileMetadata;
  files: Map<string, string> | undefined;
  dirs: Map<string, Directory> | undefined;
}

interface HardLink {
  readonly path: string;
  readonly target: string;
  readonly make: (checksum: string) => void;
}

const PARENT_MODE = FILE_TYPES.directory | 0o755;

export function createLayerTree(labelOf?: LabelOf): LayerTree {
  const root = newDirectory(parentMeta({ uid: 0, gid: 0 }));
  const links: HardLink[] = [];
  let last: { readonly path: string; readonly directory: Directory } | undefined;

  function find(path: string): Directory | undefined {
    let at: Directory | undefined = root;
    for (const name of namesOf(path)) at = at?.dirs?.get(name);
    return at;
  }

  function make(path: string, owner: Owner): Directory {
    const meta = parentMeta(owner);
    root.meta = meta;
    let at = root;
    for (const name of namesOf(path)) {
      const next = at.dirs?.get(name) ?? newDirectory(meta);
      next.meta = meta;
      at.dirs = withEntry(at.dirs, name, next);
      at = next;
    }
    return at;
  }

  function parentOf(path: string, owner: Owner): readonly [parent: Directory, name: string] {
    const [parent, name] = splitPath(path);
    // Entries of one directory come one after another.
    if (last?.path !== parent) {
      last = { path: parent, directory: find(parent) ?? make(parent, owner) };
    }
    return [last.directory, name];
  }

  function findFile(path: string): string | undefined {
    const [parent, name] = splitPath(path);
    return find(parent)?.files?.get(name);
  }

  return {
    addDirectory(path, meta) {
      if (path === "") {
        root.meta = meta;
        return;
      }
      const [parent, name] = parentOf(path, meta);
      const known = parent.dirs?.get(name);
      if (known === undefined) parent.dirs = withEntry(parent.dirs, name, newDirectory(meta));
      else known.meta = meta;
    },
    addFile(path, owner, checksum) {
      const [parent, name] = parentOf(path, owner);
      parent.files = withEntry(parent.files, name, checksum);
    },
    addHardLink(path, owner, target) {
      const [directory, name] = parentOf(path, owner);
      const make = (checksum: string) => {
        directory.files = withEntry(directory.files, name, checksum);
      };
      links.push({ path, target, make });
    },
    finish(add) {
      resolve(links, findFile);
      return write(root, "/", { add, labelOf, metas: new Map() });
    },
  };
}

function namesOf(path: string): readonly string[] {
  return path === "" ? [] : path.split("/");
}

function newDirectory(meta: FileMetadata): Directory {
  return { meta, files: undefined, dirs: undefined };
}

function withEntry<T>(entries: Map<string, T> | undefined, name: string, value: T): Map<string, T> {
  return (entries ?? new Map<string, T>()).set(name, value);
}

function parentMeta({ uid, gid }: Owner): FileMetadata {
  return { uid, gid, mode: PARENT_MODE, xattrs: [] };
}

function splitPath(path: string): readonly [parent: string, name: string] {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}

/** In their order; those to other links when these are there. */
function resolve(links: readonly HardLink[], findFile: (path: string) => string | undefined): void {
  let open = links;
  while (open.length > 0) {
    const still: HardLink[] = [];
    for (const link of open) {
      const checksum = findFile(link.target);
      if (checksum === undefined) still.push(link);
      else link.make(checksum);
    }
    const [first] = still;
    if (first !== undefined && still.length === open.length) {
      throw damagedTar(`the hard link \`${first.path}\` to \`${first.target}\``);
    }
    open = still;
  }
}

interface TreeWriter {
  readonly add: AddObject;
  readonly labelOf: LabelOf | undefined;
  /** The checksums of dirmeta objects by what they say. */
  readonly metas: Map<string, string>;
}

/** The directory at the absolute `path`. */
function write(
  directory: Directory,
  path: string,
  writer: TreeWriter,
): { readonly tree: string; readonly meta: string } {
  const { add } = writer;
  const dirs: TreeDir[] = [];
  for (const [name, it] of directory.dirs ?? []) {
    dirs.push({ name, ...write(it, path === "/" ? `/${name}` : `${path}/${name}`, writer) });
  }
  const files = [...(directory.files ?? [])].map(([name, checksum]) => ({ name, checksum }));
  const meta = writeMeta(labelled(directory.meta, path, writer), writer);
  if (files.length === 0 && dirs.length === 0) return { tree: EMPTY_TREE, meta };
  const bytes = formatDirtree({ files, dirs });
  const tree = treeChecksum(bytes);
  add(tree, "dirtree", bytes);
  return { tree, meta };
}

function writeMeta(meta: FileMetadata, { add, metas }: TreeWriter): string {
  const key = metadataKey(meta);
  const known = metas.get(key);
  if (known !== undefined) return known;
  const bytes = formatDirmeta(meta);
  const checksum = sha256(bytes);
  add(checksum, "dirmeta", bytes);
  metas.set(key, checksum);
  return checksum;
}

function labelled(meta: FileMetadata, path: string, { labelOf }: TreeWriter): FileMetadata {
  if (labelOf === undefined) return meta;
  return { ...meta, xattrs: withLabel(meta.xattrs, labelOf(path, meta.mode)) };
}
