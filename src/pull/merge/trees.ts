// Directory trees laid over each other as `ostree checkout --union --whiteouts` (2024.5 and newer) would.
// Pure: directory objects come from `load`; only directories that a layer touches are read.
import { BootcError } from "../../errors.ts";
import {
  childTrees,
  type Dirtree,
  formatDirtree,
  parseDirtree,
  type TreeRef,
  treeChecksum,
} from "../../ostree/dirtree.ts";

export interface TreeStore {
  /** The bytes of a dirtree object. */
  readonly load: (checksum: string) => Uint8Array;
  /** Called with each directory object that may be new. */
  readonly store: (checksum: string, bytes: Uint8Array) => void;
  /** Where a file object that is a symbolic link leads; undefined for any other. */
  readonly linkTarget: (checksum: string) => string | undefined;
}

/** A directory that is being changed; children are checksums until something below them changes. */
export interface MutableTree {
  meta: string;
  readonly files: Map<string, string>;
  readonly dirs: Map<string, MutableTree | TreeRef>;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

export function openTree({ tree, meta }: TreeRef, store: TreeStore): MutableTree {
  const { files, dirs } = parseDirtree(store.load(tree));
  return {
    meta,
    files: new Map(files.map((it) => [it.name, it.checksum])),
    dirs: new Map(dirs.map((it) => [it.name, { tree: it.tree, meta: it.meta }])),
  };
}

export function emptyTree(meta: string): MutableTree {
  return { meta, files: new Map(), dirs: new Map() };
}

/** What is laid over what, and where. */
interface Layering {
  readonly root: MutableTree;
  readonly store: TreeStore;
  readonly replaced: ReplacedLinks;
  /** The path of the directory, in the tree as it is after links were followed. */
  readonly path: string;
}

/**
 * Symbolic links that a directory of a layer took the place of: their paths, and the absolute paths to which
 * they led; of links in a circle, the targets as written.
 */
export type ReplacedLinks = Map<string, string>;

/**
 * Lays the tree `layer` over `root`. A directory's own metadata stays unless the layer makes it opaque.
 * What a layer has below a link of the merged /usr goes where the link leads; any other link that a directory
 * takes the place of is noted in `replaced`.
 */
export function applyLayer(
  root: MutableTree,
  layer: TreeRef,
  { store, replaced }: Pick<Layering, "store" | "replaced">,
): void {
  const followed = applyDirectories(root, layer, { root, store, replaced, path: "" });
  // A link is looked at when all else of the layer is in its place: that may be where it leads.
  for (const { name, ref, link } of followed) {
    const place = hasOpaqueMarker(ref, store)
      ? undefined
      : followLink(root, { dir: "", link }, store);
    const { path = "", tree } = place ?? {};
    if (tree !== undefined) applyDirectories(tree, ref, { root, store, replaced, path });
    else applyDirectory(root, name, { root, ref, store, replaced, path: "" });
  }
}

/** Links of the root without which no system boots, once /usr has all programs and libraries. */
const MERGED_USR = new Set(["bin", "sbin", "lib", "lib64"]);

interface FollowedLink {
  readonly name: string;
  readonly ref: TreeRef;
  readonly link: string;
}

/** Gives the directories that are to go where a link of the root leads. */
function applyDirectories(
  target: MutableTree,
  layer: TreeRef,
  layering: Layering,
): readonly FollowedLink[] {
  const { store, path } = layering;
  const { files, dirs } = parseDirtree(store.load(layer.tree));
  if (files.some((it) => it.name === OPAQUE)) {
    target.files.clear();
    target.dirs.clear();
    target.meta = layer.meta;
  }
  for (const { name, checksum } of files) {
    if (isWhiteout(name, checksum, store)) {
      applyWhiteout(target, name);
      continue;
    }
    target.dirs.delete(name);
    target.files.set(name, checksum);
  }
  const followed: FollowedLink[] = [];
  for (const { name, tree, meta } of dirs) {
    const ref = { tree, meta };
    const link = path === "" && MERGED_USR.has(name) ? linkAt(target, name, store) : undefined;
    if (link !== undefined) followed.push({ name, ref, link });
    else applyDirectory(target, name, { ...layering, ref });
  }
  return followed;
}

function linkAt(tree: MutableTree, name: string, store: TreeStore): string | undefined {
  const checksum = tree.files.get(name);
  return checksum === undefined ? undefined : store.linkTarget(checksum);
}

/** Whoever made the layer had removed what was there, link or not. */
function hasOpaqueMarker({ tree }: TreeRef, store: TreeStore): boolean {
  return parseDirtree(store.load(tree)).files.some((it) => it.name === OPAQUE);
}

const LINKS_MAX = 40;

/** Where a link leads. */
interface Place {
  /** Without links, dots or slashes at its ends. */
  readonly path: string;
  /** The directory there, made changeable; undefined when there is none. */
  readonly tree: MutableTree | undefined;
}

/**
 * Follows a link in the directory at `dir`, whose own path has no links, as a kernel with this root would.
 * What is missing on the way leads to no directory; undefined when there are too many links.
 */
function followLink(
  root: MutableTree,
  { dir, link }: { readonly dir: string; readonly link: string },
  store: TreeStore,
): Place | undefined {
  const left = namesOf(link.startsWith("/") ? link : `${dir}/${link}`).reverse();
  const path: string[] = [];
  const above: MutableTree[] = [];
  let at: MutableTree | undefined = root;
  // The link that is followed was the first.
  for (let links = 1, name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === "..") {
      if (path.pop() !== undefined && at !== undefined) at = above.pop();
      continue;
    }
    const next = at && linkAt(at, name, store);
    if (next === undefined) {
      path.push(name);
      if (at !== undefined) above.push(at);
      at = at && openPath(at, [name], store);
      continue;
    }
    if (++links > LINKS_MAX) return undefined;
    if (next.startsWith("/")) {
      [path.length, above.length] = [0, 0];
      at = root;
    }
    left.push(...namesOf(next).reverse());
  }
  return { path: path.join("/"), tree: at };
}

function namesOf(path: string): string[] {
  return path.split("/").filter((it) => it !== "" && it !== ".");
}

/** A symbolic link named like a whiteout is still a symbolic link, as it is for ostree. */
function isWhiteout(name: string, checksum: string, store: TreeStore): boolean {
  return name.startsWith(WHITEOUT) && store.linkTarget(checksum) === undefined;
}

/** Acts when its turn comes in the order of names: what the layer put before it goes as well. */
function applyWhiteout(target: MutableTree, name: string): void {
  if (name === OPAQUE) return;
  const hidden = name.slice(WHITEOUT.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new BootcError(`a layer has the whiteout \`${name}\`, which names no file`, {
      kind: "integrity",
    });
  }
  target.files.delete(hidden);
  target.dirs.delete(hidden);
}

function applyDirectory(
  target: MutableTree,
  name: string,
  { ref, ...layering }: Layering & { readonly ref: TreeRef },
): void {
  const { store, replaced } = layering;
  const path = layering.path === "" ? name : `${layering.path}/${name}`;
  const link = linkAt(target, name, store);
  if (link !== undefined) {
    const place = followLink(layering.root, { dir: layering.path, link }, store);
    replaced.set(path, place === undefined ? link : `/${place.path}`);
  }
  target.files.delete(name);
  const before = target.dirs.get(name);
  if (before === undefined) {
    target.dirs.set(name, addedTree(ref, { ...layering, path }));
    return;
  }
  if ("tree" in before && before.tree === ref.tree && !hasWhiteouts(ref.tree, store)) return;
  const inside = "tree" in before ? openTree(before, store) : before;
  target.dirs.set(name, inside);
  applyDirectories(inside, ref, { ...layering, path });
}

/** A directory new to the tree: as the layer has it, unless markers in it have to go. */
function addedTree(ref: TreeRef, layering: Layering): MutableTree | TreeRef {
  if (!hasWhiteouts(ref.tree, layering.store)) return ref;
  const added = emptyTree(ref.meta);
  applyDirectories(added, ref, layering);
  return added;
}

const MARKER = Buffer.from(WHITEOUT);
/** By store and tree; the same tree stands in many places. */
const known = new WeakMap<TreeStore, Map<string, boolean>>();

/** Whether a marker is anywhere in a tree. Looks at bytes, and parses only to go deeper. */
export function hasWhiteouts(tree: string, store: TreeStore): boolean {
  const answers = known.get(store) ?? new Map<string, boolean>();
  known.set(store, answers);
  const answer = answers.get(tree);
  if (answer !== undefined) return answer;
  const bytes = Buffer.from(store.load(tree));
  const found =
    (bytes.includes(MARKER) &&
      parseDirtree(bytes).files.some((it) => it.name.startsWith(WHITEOUT))) ||
    childTrees(bytes).some((it) => hasWhiteouts(it, store));
  answers.set(tree, found);
  return found;
}

/** Writes every changed directory to the store; the checksums of the whole. */
export function closeTree(tree: MutableTree | TreeRef, store: TreeStore): TreeRef {
  if ("tree" in tree) return tree;
  const dirs = [...tree.dirs].map(([name, it]) => ({ name, ...closeTree(it, store) }));
  const content: Dirtree = {
    files: [...tree.files].map(([name, checksum]) => ({ name, checksum })),
    dirs,
  };
  const bytes = formatDirtree(content);
  const checksum = treeChecksum(bytes);
  store.store(checksum, bytes);
  return { tree: checksum, meta: tree.meta };
}

/** The directory at `path`, made changeable all the way; undefined when it is not there. */
export function openPath(
  root: MutableTree,
  path: readonly string[],
  store: TreeStore,
): MutableTree | undefined {
  let at = root;
  for (const name of path) {
    const next = at.dirs.get(name);
    if (next === undefined) return undefined;
    const opened: MutableTree = "tree" in next ? openTree(next, store) : next;
    at.dirs.set(name, opened);
    at = opened;
  }
  return at;
}
