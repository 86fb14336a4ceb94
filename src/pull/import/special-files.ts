// Device nodes, fifos and sockets of a derived layer: ostree stores none, yet what they lie over goes.

import type { TarEntry } from "../../tar/entry.ts";
import { damagedTar, formatHeader } from "../../tar/header.ts";
import type { Verdict } from "../../tar/reader.ts";
import { type LayerFilter, normalizePath, placePath } from "./placement.ts";
import type { TreeShape } from "./shape.ts";

export interface SpecialFiles {
  /** Whether `path` is a special file so far. Paths are normalized, and as the tar has them. */
  has(path: string): boolean;
  /** Notes that `path` is a special file, which is left out. */
  drop(path: string, owner: Owner): Verdict;
  /** Notes that `path` is something else from now on. */
  replace(path: string): void;
  /** How many were left out. */
  count(): number;
  /** The whiteouts that stand for them in the layer's commit: headers to follow the last entry. */
  whiteouts(): readonly Uint8Array[];
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
      if (path === "") throw damagedTar("a root that is no directory");
      const placement = placePath(path, filter);
      if (placement.kind === "kept" && shape.has(placement.path)) {
        throw damagedTar(`\`${path}\` as a special file and as another entry`);
      }
      owners.set(path, { uid, gid });
      count++;
      return { kind: "drop" };
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
        return [formatWhiteout(placed, owner)];
      });
    },
  };
}

function formatWhiteout(placed: string, { uid, gid }: Owner): Buffer {
  const nothing = { linkName: "", sizeBytes: 0, records: [] };
  return formatHeader({ ...nothing, type: "file", name: `./${placed}`, mode: 0, uid, gid });
}
