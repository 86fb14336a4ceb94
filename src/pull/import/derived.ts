// A derived layer's entries, one by one: placed, checked, rewritten for `ostree commit --tree=tar`.

import type { TarEntry } from "../../tar/entry.ts";
import {
  damagedTar,
  formatHeader,
  type NewHeader,
  paddingOf,
  renameInPlace,
} from "../../tar/header.ts";
import type { TarHandler, Verdict } from "../../tar/reader.ts";
import { xattrRecords, xattrsOf } from "../../tar/xattrs.ts";
import { createHeldWhiteouts, isWhiteout, withHeaders } from "./held-whiteouts.ts";
import { createLayerLinks } from "./layer-links.ts";
import { type LayerFilter, normalizePath, placeLinkTarget, placePath } from "./placement.ts";
import { createTreeShape, parentOf, type TreeShape } from "./shape.ts";
import { createSpecialFiles } from "./special-files.ts";
import type { Spool, SpoolRange } from "./spool.ts";

export interface DerivedRewrite {
  readonly handle: TarHandler;
  /** Counts of what was left out. */
  readonly filtered: Map<string, number>;
  specialFiles(): number;
  /** To be called after the last entry; gives what follows it. Hard links must have found their targets. */
  finish(): readonly Uint8Array[];
}

export interface DerivedOptions {
  readonly filter: LayerFilter;
  /** ostree labels the entries: a label in the tar would come twice then, and damage the object. */
  readonly isLabelled: boolean;
  readonly spool: Spool;
}

/** Container builds copy files up that are hard links of objects in here. */
const REPO = "sysroot/ostree/repo/";
const SYMLINK_BYTES_MAX = 4095;

/** A changed file below the repository, held back until a hard link says where it belongs. */
interface HeldFile {
  readonly entry: TarEntry;
  readonly content: SpoolRange;
  /** Where it was put; later hard links lead there. */
  placed: string | undefined;
}

export function createDerivedRewrite(options: DerivedOptions): DerivedRewrite {
  const { filter } = options;
  const shape = createTreeShape();
  const links = createLayerLinks();
  const filtered = new Map<string, number>();
  const special = createSpecialFiles(shape, options);
  const whiteouts = createHeldWhiteouts(shape);

  function place(path: string): string | undefined {
    const placement = placePath(path, filter);
    if (placement.kind === "kept") return placement.path;
    filtered.set(placement.counted, (filtered.get(placement.counted) ?? 0) + 1);
    return undefined;
  }

  const objects = createChangedObjects({ ...options, shape, place });

  function handle(entry: TarEntry): Verdict {
    const path = normalizePath(entry.path);
    if (entry.type === "special") return special.drop(path, entry);
    special.replace(path);
    const isChangedObject = entry.type === "file" && entry.mtimeEpoch > 0 && path.startsWith(REPO);
    if (isChangedObject) return objects.holdBack(path, entry);
    if (isWhiteout(entry, path)) return handleWhiteout(entry, path);
    const target = entry.type === "hardlink" ? links.resolve(requireTarget(entry)) : undefined;
    if (target !== undefined) {
      if (special.has(target)) return special.drop(path, entry);
      const verdict = target.startsWith(REPO) ? objects.linkTo(path, target) : undefined;
      if (verdict !== undefined) return verdict;
    }
    const placed = place(path);
    if (placed === undefined) return DROP;
    if (placed === "" && entry.type !== "directory")
      throw damagedTar("a root that is no directory");
    const linkTarget = target && shape.linkEnd(placeLinkTarget(target, filter));
    const before = whiteouts.release(placed, entry.type);
    shape.add(placed, entry.type, linkTarget);
    links.note(path, entry);
    return withHeaders(before, entry, rewrite(entry, { path, placed, linkTarget }, options));
  }

  /** Through a link of the layer it comes where the link leads, if the layer has anything there. */
  function handleWhiteout(entry: TarEntry, path: string): Verdict {
    const end = links.resolve(path);
    const placed = place(end);
    if (placed === undefined) return DROP;
    const isInDirectory = shape.has(parentOf(placed));
    if (end !== path && !isInDirectory) return DROP;
    if (!isInDirectory) {
      return whiteouts.hold(placed, formatHeader(newHeader(entry, { name: placed, ...options })));
    }
    shape.add(placed, "file");
    return rewrite(entry, { path, placed, linkTarget: undefined }, options);
  }

  return {
    handle,
    filtered,
    specialFiles: special.count,
    finish() {
      shape.requireLinkTargets();
      return [...whiteouts.rest(), ...special.whiteouts()];
    },
  };
}

interface ObjectOptions extends DerivedOptions {
  readonly shape: TreeShape;
  readonly place: (path: string) => string | undefined;
}

/** Files below the repository that a build changed, and what links to them. */
function createChangedObjects({ shape, place, ...options }: ObjectOptions) {
  const { filter, spool } = options;
  const held = new Map<string, HeldFile>();
  return {
    holdBack(path: string, entry: TarEntry): Verdict {
      const length = entry.sizeBytes + paddingOf(entry.sizeBytes);
      const content: SpoolRange = { kind: "spooled", start: spool.position(), length };
      held.set(path, { entry, content, placed: undefined });
      return { kind: "spool", write: spool.append, skip: spool.skip };
    },
    /** A link to an object of the repository: the changed file itself, a link to it, or nothing. */
    linkTo(path: string, target: string): Verdict | undefined {
      const file = held.get(target);
      if (file === undefined) return filter.allowsNonUsr && shape.has(target) ? undefined : DROP;
      const placed = place(path);
      if (placed === undefined) return DROP;
      if (file.placed !== undefined) {
        shape.add(placed, "hardlink", file.placed);
        return replaceHeader(file.entry, { type: "hardlink", name: placed, linkName: file.placed });
      }
      file.placed = placed;
      shape.add(placed, "file");
      const header = formatHeader(newHeader(file.entry, { name: placed, ...options }));
      return { kind: "replace", header, content: file.content };
    },
  };
}

const DROP: Verdict = { kind: "drop" };

function requireTarget(entry: TarEntry): string {
  const target = normalizePath(entry.linkPath);
  if (target === "") throw damagedTar(`the hard link \`${entry.path}\` to nothing`);
  return target;
}

interface Places {
  readonly path: string;
  readonly placed: string;
  readonly linkTarget: string | undefined;
}

/** As little as possible: the header as it is, with another name in place, or new header blocks. */
function rewrite(entry: TarEntry, places: Places, options: DerivedOptions): Verdict {
  const { path, placed, linkTarget } = places;
  if (entry.type === "symlink") requireSymlinkTarget(entry);
  const { plainBlock } = entry;
  if (plainBlock !== undefined && (linkTarget === undefined || linkTarget === entry.linkPath)) {
    const isInPlace = placed === path || renameInPlace(plainBlock, placed);
    if (isInPlace) return { kind: "keep" };
  }
  if (linkTarget !== undefined) {
    return replaceHeader(entry, { type: "hardlink", name: placed, linkName: linkTarget });
  }
  return { kind: "replace", header: formatHeader(newHeader(entry, { name: placed, ...options })) };
}

function requireSymlinkTarget(entry: TarEntry): void {
  const isUsable = entry.linkPath !== "" && Buffer.byteLength(entry.linkPath) <= SYMLINK_BYTES_MAX;
  if (!isUsable) throw damagedTar(`the symbolic link \`${entry.path}\` without a usable target`);
}

function newHeader(
  entry: TarEntry,
  { name, isLabelled }: { readonly name: string; readonly isLabelled: boolean },
): NewHeader {
  const xattrs = xattrsOf(entry).filter((it) => !(isLabelled && it.name === "security.selinux"));
  return {
    type: entry.type === "directory" || entry.type === "symlink" ? entry.type : "file",
    name: `./${name}`,
    linkName: entry.type === "symlink" ? entry.linkPath : "",
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    sizeBytes: entry.sizeBytes,
    records: xattrRecords(xattrs),
  };
}

function replaceHeader(
  entry: TarEntry,
  link: { readonly type: "hardlink"; readonly name: string; readonly linkName: string },
): Verdict {
  const { mode, uid, gid } = entry;
  const header = formatHeader({ ...link, mode, uid, gid, sizeBytes: 0, records: [] });
  return { kind: "replace", header };
}
