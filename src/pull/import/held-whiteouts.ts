// Whiteouts in directories that their layer has not mentioned, held back until it is known what is there.
// Where a directory becomes a link or a file, some tools write whiteouts for all it held as well; ostree
// refuses an entry in the place of a directory that a whiteout implied.
import type { TarEntry } from "../../tar/entry.ts";
import type { LayerEntry } from "../store/sink.ts";
import { parentOf, type TreeShape } from "./shape.ts";

export interface HeldWhiteouts {
  hold(whiteout: LayerEntry): void;
  /**
   * Call this before anything else is noted at `placed`. It returns the whiteouts that have to come first.
   * Those below a path that is not a directory are dropped, since everything there is replaced anyway.
   */
  release(placed: string, type: LayerEntry["type"]): readonly LayerEntry[];
  /** All that are left. */
  rest(): readonly LayerEntry[];
}

/** Opaque markers are such as well. */
export function isWhiteout({ type, sizeBytes }: TarEntry, path: string): boolean {
  return type === "file" && sizeBytes === 0 && path.startsWith(".wh.", path.lastIndexOf("/") + 1);
}

export function createHeldWhiteouts(shape: TreeShape): HeldWhiteouts {
  const held = new Map<string, LayerEntry>();
  /** By each directory above them, and by the one they are in. */
  const below = new Map<string, Set<string>>();
  const inside = new Map<string, Set<string>>();

  function take(placed: string): LayerEntry | undefined {
    const whiteout = held.get(placed);
    held.delete(placed);
    for (const above of directoriesAbove(placed)) remove(below, above, placed);
    remove(inside, parentOf(placed), placed);
    return whiteout;
  }

  function emit(some: readonly string[]): readonly LayerEntry[] {
    return some.flatMap((placed) => {
      const whiteout = take(placed);
      shape.add(placed, "file");
      return whiteout === undefined ? [] : [whiteout];
    });
  }

  return {
    hold(whiteout) {
      const { path } = whiteout;
      held.set(path, whiteout);
      for (const above of directoriesAbove(path)) add(below, above, path);
      add(inside, parentOf(path), path);
    },
    release(placed, type) {
      if (held.size === 0) return [];
      const lower = [...(below.get(placed) ?? [])];
      if (type !== "directory") for (const it of lower) take(it);
      // What is beside a whiteout says that it is in a directory.
      const beside = directoriesAbove(placed).flatMap((it) => [...(inside.get(it) ?? [])]);
      return emit(type === "directory" ? [...lower, ...beside] : beside);
    },
    rest: () => emit([...held.keys()]),
  };
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value));
}

function remove(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}

/** All but the root, which is a directory in any case. */
function directoriesAbove(path: string): readonly string[] {
  const directories: string[] = [];
  for (let it = parentOf(path); it !== ""; it = parentOf(it)) directories.push(it);
  return directories;
}
