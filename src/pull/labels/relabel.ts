// A whole tree labelled by a policy: objects whose labels differ are written anew, and the directories above.
import { setImmediate } from "node:timers/promises";
import {
  type Dirtree,
  formatDirtree,
  parseDirtree,
  type TreeRef,
  treeChecksum,
} from "../../ostree/dirtree.ts";
import type { Scratch } from "../../repository/scratch.ts";
import type { LabelOf } from "../store/sink.ts";
import type { Labelled, LabelledObjects } from "./objects.ts";

export interface Relabelling {
  readonly labelOf: LabelOf;
  readonly objects: LabelledObjects;
  /** Takes new directory objects. */
  readonly scratch: Scratch;
  /** The bytes of a directory object of the tree. */
  readonly load: (checksum: string) => Uint8Array;
  /** A tree that was labelled by the same policy: what it has at the same path has the right label. */
  readonly known: TreeRef | undefined;
  /** The same for `known`; undefined when the object is missing. */
  readonly loadKnown: (checksum: string) => Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/**
 * The tree as `ostree commit --selinux-policy` would commit a checkout of it. Where the policy gives no
 * label, a label that is there stays, as with ostree.
 */
export async function relabelTree(root: TreeRef, relabelling: Relabelling): Promise<TreeRef> {
  const { known } = relabelling;
  const turn = createTurns(relabelling.signal);
  return await relabelDirectory({ ref: root, path: "/", known }, { ...relabelling, turn });
}

interface Place {
  readonly ref: TreeRef;
  /** As in the commit: ostree, too, labels `/usr/etc` under this name. */
  readonly path: string;
  readonly known: TreeRef | undefined;
}

interface Walk extends Relabelling {
  readonly turn: () => Promise<void> | undefined;
}

async function relabelDirectory({ ref, path, known }: Place, walk: Walk): Promise<TreeRef> {
  const { objects, load, loadKnown, scratch } = walk;
  const meta = ref.meta === known?.meta ? ref.meta : relabelMeta(ref.meta, path, walk);
  if (ref.tree === known?.tree) return { tree: ref.tree, meta };
  await walk.turn();
  const { files, dirs } = parseDirtree(load(ref.tree));
  const knownBytes = known && loadKnown(known.tree);
  const right = indexOf(knownBytes && parseDirtree(knownBytes));
  let isChanged = false;
  const newFiles = [];
  for (const { name, checksum } of files) {
    const at = childPath(path, name);
    const label =
      right.files.get(name) === checksum ? undefined : wrongLabel(at, objects.file(checksum), walk);
    const now = label === undefined ? checksum : await objects.relabelFile(checksum, label);
    isChanged ||= now !== checksum;
    newFiles.push({ name, checksum: now });
  }
  const newDirs = [];
  for (const { name, ...dir } of dirs) {
    const place = { ref: dir, path: childPath(path, name), known: right.dirs.get(name) };
    const now = await relabelDirectory(place, walk);
    isChanged ||= now.tree !== dir.tree || now.meta !== dir.meta;
    newDirs.push({ name, ...now });
  }
  if (!isChanged) return { tree: ref.tree, meta };
  const bytes = formatDirtree({ files: newFiles, dirs: newDirs });
  const tree = treeChecksum(bytes);
  scratch.add(tree, "dirtree", bytes);
  return { tree, meta };
}

function relabelMeta(meta: string, path: string, walk: Walk): string {
  const label = wrongLabel(path, walk.objects.directory(meta), walk);
  return label === undefined ? meta : walk.objects.relabelDirectory(meta, label);
}

/** The label that the policy gives if the object has another one, or none. */
function wrongLabel(
  path: string,
  { mode, label }: Labelled,
  { labelOf }: Walk,
): Buffer | undefined {
  const wanted = labelOf(path, mode);
  return wanted === undefined || (label && wanted.equals(label)) ? undefined : wanted;
}

function childPath(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}

function indexOf(tree: Dirtree | undefined) {
  return {
    files: new Map(tree?.files.map((it) => [it.name, it.checksum])),
    dirs: new Map(tree?.dirs.map((it) => [it.name, { tree: it.tree, meta: it.meta }])),
  };
}

/** How long others wait for their turn. */
const TURN_MS = 20;

/** Lookups block, with older libselinux for seconds: between directories, others get their turn. */
function createTurns(signal: AbortSignal): Walk["turn"] {
  let last = performance.now();
  return () => {
    if (performance.now() - last < TURN_MS) return undefined;
    return setImmediate().then(() => {
      last = performance.now();
      signal.throwIfAborted();
    });
  };
}
