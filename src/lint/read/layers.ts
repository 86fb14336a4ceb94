// The tree that the layers of an image make, and what each layer adds to it.
import { posix } from "node:path";
import type { TarEntry } from "../../tar/entry.ts";
import { readTar, type TarItem } from "../../tar/reader.ts";
import type { LayerFacts, Rewrite } from "../check.ts";
import { type Entry, type EntryKind, type ImageTree, makeTree, plainDirectory } from "../tree.ts";

/** A layer as it is read: the tar inside its blob. */
export interface OpenLayer {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly tar: AsyncIterable<Buffer>;
}

export interface LayeredTree {
  readonly tree: ImageTree;
  readonly layers: readonly LayerFacts[];
  readonly rewrites: readonly Rewrite[];
}

/** Files whose text is kept: those that checks read of a base image. */
const KEPT_TEXTS = /^(etc|usr\/lib)\/(passwd|group)$/;
const TEXT_MAX = 4 << 20;

/** Content of the ostree repository inside an encapsulated image, which the tree has under its own names. */
const REPOSITORY = /^sysroot\/ostree\//;

interface Node {
  entry: Entry;
  layer: number;
  text: Buffer | undefined;
  readonly children: Map<string, Node>;
}

/** `layers` from the base upwards. */
export async function readLayers(layers: AsyncIterable<OpenLayer>): Promise<LayeredTree> {
  const root = makeNode(plainDirectory(""), 0);
  const facts: LayerFacts[] = [];
  const rewrites: Rewrite[] = [];
  for await (const { digest, sizeBytes, tar } of layers) {
    const content = await addLayer(root, { tar, number: facts.length, rewrites });
    facts.push({ digest, sizeBytes, ...content });
  }
  const entries: Entry[] = [];
  const texts = new Map<string, Buffer>();
  flatten(root, entries, texts);
  return { tree: makeTree(entries, (path) => texts.get(path)), layers: facts, rewrites };
}

interface AddedLayer {
  readonly tar: AsyncIterable<Buffer>;
  readonly number: number;
  readonly rewrites: Rewrite[];
}

async function addLayer(root: Node, { tar, number, rewrites }: AddedLayer) {
  let [files, contentBytes] = [0, 0];
  /** Of this layer's repository, which hard links of the same layer refer to. */
  const objects = new Map<string, Node>();
  for await (const item of readTar(tar, { needsEndMarker: false })) {
    const path = placeOf(item.entry.path);
    if (path === "" || hide(root, path, number)) continue;
    const node = await nodeOf(item, path, { root, number, objects });
    if (REPOSITORY.test(path)) {
      objects.set(path, node);
      continue;
    }
    if (item.entry.type === "file") {
      files += 1;
      contentBytes += item.entry.sizeBytes;
    }
    const before = put(root, path, node);
    if (before?.entry.kind === "file" && node.entry.kind === "file" && before.layer < number) {
      rewrites.push({ path, sizeBytes: before.entry.sizeBytes, layer: number });
    }
  }
  return { files, contentBytes };
}

/** Without `./`, `..` and slashes; ostree's commits have /usr/etc where the image has /etc. */
function placeOf(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/^\/+|\/+$/g, "");
  return clean.replace(/^usr\/etc(?=\/|$)/, "etc");
}

/** Whether the entry hides others instead of being one. */
function hide(root: Node, path: string, layer: number): boolean {
  const { dir, base } = posix.parse(path);
  if (!base.startsWith(".wh.")) return false;
  const children = find(root, dir)?.children;
  if (base === ".wh..wh..opq") {
    for (const [name, child] of children ?? []) {
      if (child.layer < layer) children?.delete(name);
    }
  } else children?.delete(base.slice(4));
  return true;
}

async function nodeOf(
  { entry, ...item }: TarItem,
  path: string,
  known: {
    readonly root: Node;
    readonly number: number;
    readonly objects: ReadonlyMap<string, Node>;
  },
): Promise<Node> {
  if (entry.type === "hardlink") {
    const target = placeOf(entry.linkPath);
    const linked = known.objects.get(target) ?? find(known.root, target);
    if (linked !== undefined) {
      return { ...linked, entry: { ...linked.entry, path }, layer: known.number };
    }
  }
  const node = makeNode(entryOf(entry, path), known.number);
  const isKept = KEPT_TEXTS.test(path) && entry.type === "file" && entry.sizeBytes <= TEXT_MAX;
  if (isKept && !item.isSparse) node.text = await collect(item.content);
  return node;
}

async function collect(pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = [];
  // The pieces are the reader's own, and are overwritten.
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

const KINDS: Readonly<Record<TarEntry["type"], EntryKind>> = {
  file: "file",
  hardlink: "file",
  symlink: "link",
  directory: "directory",
  special: "character device",
};

function entryOf(entry: TarEntry, path: string): Entry {
  return {
    path,
    kind: KINDS[entry.type],
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    sizeBytes: entry.sizeBytes,
    target: entry.type === "symlink" ? entry.linkPath : undefined,
    inode: undefined,
    isMountPoint: false,
    notUtf8: undefined,
  };
}

/** Puts it into the tree, and gives what was there; a directory keeps what is in it. */
function put(root: Node, path: string, node: Node): Node | undefined {
  const names = path.split("/");
  const name = names.pop() ?? "";
  let parent = root;
  for (const [i, it] of names.entries()) {
    let next = parent.children.get(it);
    if (next?.entry.kind !== "directory") {
      next = makeNode(plainDirectory(names.slice(0, i + 1).join("/")), node.layer);
      parent.children.set(it, next);
    }
    parent = next;
  }
  const before = parent.children.get(name);
  if (before?.entry.kind === "directory" && node.entry.kind === "directory") {
    before.entry = node.entry;
    return undefined;
  }
  parent.children.set(name, node);
  return before;
}

function find(root: Node, path: string): Node | undefined {
  if (path === "") return root;
  let node: Node | undefined = root;
  for (const it of path.split("/")) node = node?.children.get(it);
  return node;
}

function makeNode(entry: Entry, layer: number): Node {
  return { entry, layer, text: undefined, children: new Map() };
}

function flatten({ children }: Node, entries: Entry[], texts: Map<string, Buffer>): void {
  const sorted = [...children].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, node] of sorted) {
    entries.push(node.entry);
    if (node.text !== undefined) texts.set(node.entry.path, node.text);
    if (node.entry.kind === "directory") flatten(node, entries, texts);
  }
}
