// The shape of one layer: what is a directory, what is not, and where hard links end.
// ostree aborts on some conflicts and takes others for success, so they are found before it sees them.
import { damagedTar } from "../../tar/header.ts";

export type Kind = "directory" | "file" | "symlink" | "hardlink";

export interface TreeShape {
  /** Whether the layer has anything at `path` so far. */
  has(path: string): boolean;
  /** Whether `path` can be added as far as what is above it goes. */
  hasRoomFor(path: string): boolean;
  /** Where a hard link to `target` ends: ostree does not follow links from link to link. */
  linkEnd(target: string): string;
  /** Notes an entry; a conflict with one before is an error. `target` is that of a hard link. */
  add(path: string, kind: Kind, target?: string): void;
  /** When all entries are known: every hard link must end at a file or symbolic link of this layer. */
  requireLinkTargets(): void;
}

/** The directory that `path` is in; the root is an empty text. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function createTreeShape(): TreeShape {
  const kinds = new Map<string, Kind>([["", "directory"]]);
  const links = new Map<string, string>();
  let lastParent = "";

  function requireParents(path: string): void {
    const parent = parentOf(path);
    if (parent === lastParent) return;
    lastParent = parent;
    for (let it = parent; it !== ""; it = parentOf(it)) {
      const kind = kinds.get(it);
      if (kind === "directory") return;
      if (kind !== undefined) throw damagedTar(`\`${path}\` below \`${it}\`, a ${nameOf(kind)}`);
      kinds.set(it, "directory");
    }
  }

  return {
    has: (path) => kinds.has(path),
    hasRoomFor(path) {
      let at = parentOf(path);
      while (at !== "" && !kinds.has(at)) at = parentOf(at);
      return kinds.get(at) === "directory";
    },
    linkEnd(target) {
      let at = target;
      for (let next = links.get(at), hops = 0; next !== undefined && hops < 9; hops++) {
        at = next;
        next = links.get(at);
      }
      return at;
    },
    add(path, kind, target) {
      requireParents(path);
      const before = kinds.get(path);
      const isConflict =
        before !== undefined && (before === "directory") !== (kind === "directory");
      if (isConflict) throw damagedTar(`\`${path}\` as ${nameOf(before)} and as ${nameOf(kind)}`);
      kinds.set(path, kind);
      if (target !== undefined) links.set(path, target);
      else if (links.size > 0) links.delete(path);
    },
    requireLinkTargets() {
      for (const path of links.keys()) requireTarget(path, kinds, links);
    },
  };
}

function requireTarget(
  path: string,
  kinds: ReadonlyMap<string, Kind>,
  links: ReadonlyMap<string, string>,
): void {
  let at = path;
  for (let hops = 0; hops <= links.size; hops++) {
    const target = links.get(at);
    if (target === undefined) return;
    const kind = kinds.get(target);
    if (kind === undefined || kind === "directory") {
      const what = kind === undefined ? "is not in the layer" : "is a directory";
      throw damagedTar(`the hard link \`${path}\` to \`${target}\`, which ${what}`);
    }
    at = target;
  }
  throw damagedTar(`the hard link \`${path}\`, which leads back to itself`);
}

function nameOf(kind: Kind): string {
  return kind === "symlink" ? "symbolic link" : kind === "hardlink" ? "file" : kind;
}
