// Turns the tar of a derived layer into the entries of its commit: placed, checked, and some held back.
import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar } from "../../tar/header.ts";
import { normalizePath } from "../../tar/path.ts";
import type { TarItem } from "../../tar/reader.ts";
import { xattrsOf } from "../../tar/xattrs.ts";
import { type Content, type LayerEntry, NO_CONTENT } from "../store/sink.ts";
import { createHeldWhiteouts, type HeldWhiteouts, isWhiteout } from "./held-whiteouts.ts";
import { filledContent } from "./holes.ts";
import { createLayerLinks, type LayerLinks } from "./layer-links.ts";
import { type LayerFilter, placeLinkTarget, placePath } from "./placement.ts";
import { createTreeShape, parentOf, type TreeShape } from "./shape.ts";
import { createSpecialFiles, type SpecialFiles } from "./special-files.ts";
import type { Spool, SpoolRange } from "./spool.ts";

export interface DerivedOptions {
  /** Its file system must have room for the zeros that holes become. */
  readonly repo: string;
  readonly filter: LayerFilter;
  /** ostree labels the entries: a label in the tar would come twice then, and damage the object. */
  readonly isLabelled: boolean;
  readonly spool: Spool;
}

/** What is known of the layer so far. */
export interface DerivedLayer extends DerivedOptions {
  readonly shape: TreeShape;
  readonly links: LayerLinks;
  readonly special: SpecialFiles;
  readonly whiteouts: HeldWhiteouts;
  /** Files below the repository that a build changed, by their paths in the tar. */
  readonly changedObjects: Map<string, ChangedObject>;
  /** Counts of what was left out. */
  readonly filtered: Map<string, number>;
}

/** A file held back until a hard link says where it belongs. */
interface ChangedObject {
  readonly entry: TarEntry;
  readonly content: SpoolRange;
  /** Where it was put; later hard links lead there. */
  placed: string | undefined;
}

/** Container builds copy files up that are hard links of objects in here. */
const REPO = "sysroot/ostree/repo/";
const LABEL = "security.selinux";
const SYMLINK_BYTES_MAX = 4095;
const NOTHING: readonly LayerEntry[] = [];

export function newDerivedLayer(options: DerivedOptions): DerivedLayer {
  const shape = createTreeShape();
  return {
    ...options,
    shape,
    links: createLayerLinks(),
    special: createSpecialFiles(shape, options),
    whiteouts: createHeldWhiteouts(shape),
    changedObjects: new Map(),
    filtered: new Map(),
  };
}

/** Ends when all hard links have found their targets. */
export async function* derivedEntries(
  layer: DerivedLayer,
  items: AsyncIterable<TarItem>,
): AsyncGenerator<LayerEntry> {
  for await (const item of items) {
    const path = normalizePath(item.entry.path);
    if (isChangedObject(item.entry, path)) await holdBack(layer, path, item);
    else for (const entry of entriesOf(layer, path, item)) yield entry;
  }
  layer.shape.requireLinkTargets();
  yield* layer.whiteouts.rest();
  yield* layer.special.whiteouts();
}

function isChangedObject({ type, mtimeEpoch }: TarEntry, path: string): boolean {
  return type === "file" && mtimeEpoch > 0 && path.startsWith(REPO);
}

async function holdBack(layer: DerivedLayer, path: string, item: TarItem): Promise<void> {
  const { special, spool, changedObjects } = layer;
  const { entry, content } = item;
  special.replace(path);
  const range = { start: spool.position(), length: entry.sizeBytes };
  changedObjects.set(path, { entry, content: range, placed: undefined });
  for await (const part of content) {
    if (Buffer.isBuffer(part)) spool.append(part);
    else spool.skip(part.length);
  }
}

/** What an entry of the tar becomes: nothing, itself, or itself behind whiteouts that were held back. */
function entriesOf(layer: DerivedLayer, path: string, item: TarItem): readonly LayerEntry[] {
  const { special } = layer;
  const { entry } = item;
  if (entry.type === "special") {
    special.drop(path, entry);
    return NOTHING;
  }
  special.replace(path);
  if (isWhiteout(entry, path)) return whiteout(layer, path, entry);
  if (entry.type === "hardlink") return hardLink(layer, path, entry);
  const placed = place(layer, path);
  if (placed === undefined) return NOTHING;
  const content = filledContent(item, layer.repo);
  return noted(layer, path, entryAt(layer, placed, { entry, content }));
}

/** A whiteout follows the layer's own symbolic links if the layer has an entry at their target. */
function whiteout(layer: DerivedLayer, path: string, entry: TarEntry): readonly LayerEntry[] {
  const { links, shape, whiteouts } = layer;
  const end = links.resolve(path);
  const placed = place(layer, end);
  if (placed === undefined) return NOTHING;
  const isInDirectory = shape.has(parentOf(placed));
  if (end !== path && !isInDirectory) return NOTHING;
  const made = entryAt(layer, placed, { entry, content: NO_CONTENT });
  if (!isInDirectory) {
    whiteouts.hold(made);
    return NOTHING;
  }
  shape.add(placed, "file");
  return [made];
}

function hardLink(layer: DerivedLayer, path: string, entry: TarEntry): readonly LayerEntry[] {
  const { changedObjects, filter, shape, special } = layer;
  const target = layer.links.resolve(requireTarget(entry));
  if (special.has(target)) {
    special.drop(path, entry);
    return NOTHING;
  }
  const changed = changedObjects.get(target);
  if (changed !== undefined) return linkToChanged(layer, path, changed);
  // The object belongs to the base, which has it under this name already.
  if (target.startsWith(REPO) && !(filter.allowsNonUsr && shape.has(target))) return NOTHING;
  const placed = place(layer, path);
  if (placed === undefined) return NOTHING;
  return noted(layer, path, linkAt(placed, entry, shape.linkEnd(placeLinkTarget(target, filter))));
}

/** The first link to a changed file becomes the file, those after it lead there. */
function linkToChanged(
  layer: DerivedLayer,
  path: string,
  file: ChangedObject,
): readonly LayerEntry[] {
  const { shape, spool } = layer;
  const placed = place(layer, path);
  if (placed === undefined) return NOTHING;
  if (file.placed !== undefined) {
    shape.add(placed, "hardlink", file.placed);
    return [linkAt(placed, file.entry, file.placed)];
  }
  file.placed = placed;
  shape.add(placed, "file");
  return [entryAt(layer, placed, { entry: file.entry, content: spool.read(file.content) })];
}

/** Where a path goes; undefined, and counted, when it has no place. */
function place({ filter, filtered }: DerivedLayer, path: string): string | undefined {
  const placement = placePath(path, filter);
  if (placement.kind === "kept") return placement.path;
  filtered.set(placement.counted, (filtered.get(placement.counted) ?? 0) + 1);
  return undefined;
}

/** Notes what the entry at `path` of the tar became; returns it behind what has to come before it. */
function noted(layer: DerivedLayer, path: string, made: LayerEntry): readonly LayerEntry[] {
  const { shape, links, whiteouts } = layer;
  const { type, path: placed, linkTarget } = made;
  if (placed === "" && type !== "directory") throw damagedTar("a root that is not a directory");
  const before = whiteouts.release(placed, type);
  shape.add(placed, type, type === "hardlink" ? linkTarget : undefined);
  links.note(path, { type, linkPath: linkTarget });
  return [...before, made];
}

function requireTarget(entry: TarEntry): string {
  const target = normalizePath(entry.linkPath);
  if (target === "") throw damagedTar(`the hard link \`${entry.path}\` to nothing`);
  return target;
}

interface FilledItem {
  readonly entry: TarEntry;
  readonly content: Content;
}

function entryAt(layer: DerivedLayer, path: string, { entry, content }: FilledItem): LayerEntry {
  const { mode, uid, gid, sizeBytes } = entry;
  const type = entry.type === "directory" || entry.type === "symlink" ? entry.type : "file";
  if (type === "symlink") requireSymlinkTarget(entry);
  const xattrs = xattrsOf(entry).filter((it) => !(layer.isLabelled && it.name === LABEL));
  const linkTarget = type === "symlink" ? entry.linkPath : "";
  return { type, path, mode, uid, gid, xattrs, sizeBytes, linkTarget, content };
}

function requireSymlinkTarget(entry: TarEntry): void {
  const isUsable = entry.linkPath !== "" && Buffer.byteLength(entry.linkPath) <= SYMLINK_BYTES_MAX;
  if (!isUsable) throw damagedTar(`the symbolic link \`${entry.path}\` without a usable target`);
}

function linkAt(path: string, { mode, uid, gid }: TarEntry, linkTarget: string): LayerEntry {
  const nothing = { xattrs: [], sizeBytes: 0, content: NO_CONTENT };
  return { type: "hardlink", path, mode, uid, gid, linkTarget, ...nothing };
}
