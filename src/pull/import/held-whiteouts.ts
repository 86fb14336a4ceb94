// Whiteouts in directories that their layer has not mentioned, held back until it is known what is there.
// Where a directory becomes a link or a file, some tools write whiteouts for all it held as well; ostree
// refuses an entry in the place of a directory that a whiteout implied.
import type { TarEntry } from "../../tar/entry.ts";
import type { Verdict } from "../../tar/reader.ts";
import { parentOf, type TreeShape } from "./shape.ts";

export interface HeldWhiteouts {
  /** Holds back the whiteout at `placed`, whose tar header is given. */
  hold(placed: string, header: Buffer): Verdict;
  /**
   * To be called before anything else is noted at `placed`. Gives the headers of whiteouts that have to come
   * before it; those below what is no directory are forgotten, since all that was there goes with it.
   */
  release(placed: string, type: TarEntry["type"]): readonly Buffer[];
  /** The headers of all that are left. */
  rest(): readonly Buffer[];
}

/** Opaque markers are such as well. */
export function isWhiteout({ type, sizeBytes }: TarEntry, path: string): boolean {
  return type === "file" && sizeBytes === 0 && path.startsWith(".wh.", path.lastIndexOf("/") + 1);
}

export function createHeldWhiteouts(shape: TreeShape): HeldWhiteouts {
  const headers = new Map<string, Buffer>();
  /** By each directory above them, and by the one they are in. */
  const below = new Map<string, Set<string>>();
  const inside = new Map<string, Set<string>>();

  function take(placed: string): Buffer | undefined {
    const header = headers.get(placed);
    headers.delete(placed);
    for (const above of directoriesAbove(placed)) remove(below, above, placed);
    remove(inside, parentOf(placed), placed);
    return header;
  }

  function emit(some: readonly string[]): readonly Buffer[] {
    return some.flatMap((placed) => {
      const header = take(placed);
      shape.add(placed, "file");
      return header === undefined ? [] : [header];
    });
  }

  return {
    hold(placed, header) {
      headers.set(placed, header);
      for (const above of directoriesAbove(placed)) add(below, above, placed);
      add(inside, parentOf(placed), placed);
      return { kind: "drop" };
    },
    release(placed, type) {
      if (headers.size === 0) return [];
      const lower = [...(below.get(placed) ?? [])];
      if (type !== "directory") for (const it of lower) take(it);
      // What is beside a whiteout says that it is in a directory.
      const beside = directoriesAbove(placed).flatMap((it) => [...(inside.get(it) ?? [])]);
      return emit(type === "directory" ? [...lower, ...beside] : beside);
    },
    rest: () => emit([...headers.keys()]),
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

/** The verdict on an entry that other headers are to come before. */
export function withHeaders(
  headers: readonly Buffer[],
  { plainBlock }: TarEntry,
  verdict: Verdict,
): Verdict {
  if (headers.length === 0) return verdict;
  if (verdict.kind === "replace") {
    return { ...verdict, header: Buffer.concat([...headers, verdict.header]) };
  }
  if (verdict.kind !== "keep" || plainBlock === undefined)
    throw new Error("unreachable: an entry that is noted is written");
  return { kind: "replace", header: Buffer.concat([...headers, plainBlock]) };
}
