// Device nodes, fifos and sockets of a derived layer: ostree stores none, yet what they lie over goes.
import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar } from "../../tar/header.ts";
import { normalizePath } from "../../tar/path.ts";
import { type LayerEntry, NO_CONTENT } from "../store/sink.ts";
import { type LayerFilter, placePath } from "./placement.ts";
import type { TreeShape } from "./shape.ts";

export interface SpecialFiles {
  /** Whether `path` is a special file so far. Paths are normalized, and as the tar has them. */
  has(path: string): boolean;
  /** Notes that `path` is a special file, which is left out. */
  drop(path: string, owner: Owner): void;
  /** Notes that `path` is something else from now on. */
  replace(path: string): void;
  /** How many were left out. */
  count(): number;
  /** The whiteouts that stand for them in the layer's commit, to follow the last entry. */
  whiteouts(): readonly LayerEntry[];
}

type Owner = Pick<TarEntry, "uid" | "gid">;

const WHITEOUT = ".wh.";

export function createSpecialFiles(
  shape: TreeShape,
  { filter }: { readonly filter: LayerFilter },
): SpecialFiles {
  const owners = new Map<string, Owner>();
  let count = 0;

  function whiteoutOf(path: string): string | undefined {
    const placement = placePath(path, filter);
    if (placement.kind === "dropped" || shape.has(placement.path)) return undefined;
    const slash = placement.path.lastIndexOf("/") + 1;
    const name = placement.path.slice(slash);
    // A device node named like a whiteout is one to container runtimes.
    if (name.startsWith(WHITEOUT)) return placement.path;
    return normalizePath(`${placement.path.slice(0, slash)}${WHITEOUT}${name}`);
  }

  return {
    has: (path) => owners.has(path),
    drop(path, { uid, gid }) {
      if (path === "") throw damagedTar("a root that is not a directory");
      const placement = placePath(path, filter);
      if (placement.kind === "kept" && shape.has(placement.path)) {
        throw damagedTar(`\`${path}\` as a special file and as another entry`);
      }
      owners.set(path, { uid, gid });
      count++;
    },
    replace(path) {
      if (owners.size > 0) owners.delete(path);
    },
    count: () => count,
    whiteouts() {
      return [...owners].flatMap(([path, owner]) => {
        const placed = whiteoutOf(path);
        if (placed === undefined || shape.has(placed) || !shape.hasRoomFor(placed)) return [];
        shape.add(placed, "file");
        return [newWhiteout(placed, owner)];
      });
    },
  };
}

function newWhiteout(path: string, { uid, gid }: Owner): LayerEntry {
  const nothing = { xattrs: [], sizeBytes: 0, linkTarget: "", content: NO_CONTENT };
  return { ...nothing, type: "file", path, mode: 0, uid, gid };
}
