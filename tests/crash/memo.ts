// Remembers what was found on a disk together with the sectors that finding it read. On every disk that has the same in
// those sectors, the same would be found again, whatever it has elsewhere.
import type { Contents } from "./sectors.ts";

export interface ReadMemo<T> {
  find(contents: Contents): T | undefined;
  /** `read` are the sectors that were read before anything was written to them. */
  add(contents: Contents, read: Iterable<number>, found: T): void;
  readonly size: number;
}

interface Known<T> {
  readonly sectors: Int32Array;
  readonly numbers: Int32Array;
  readonly found: T;
}

export function createMemo<T>(): ReadMemo<T> {
  const known: Known<T>[] = [];
  return {
    get size() {
      return known.length;
    },
    find(contents) {
      // States that follow each other are alike.
      for (let i = known.length - 1; i >= 0; i--) {
        const it = known[i];
        if (it !== undefined && agrees(it, contents)) return it.found;
      }
      return undefined;
    },
    add(contents, read, found) {
      const sectors = Int32Array.from(new Set(read));
      known.push({ sectors, numbers: sectors.map((it) => contents[it] ?? -1), found });
    },
  };
}

function agrees({ sectors, numbers }: Known<unknown>, contents: Contents): boolean {
  for (let i = 0; i < sectors.length; i++) {
    if (contents[sectors[i] ?? -1] === numbers[i]) continue;
    // What differs once will often differ again, so it is compared first from now on.
    moveToFront(sectors, i);
    moveToFront(numbers, i);
    return false;
  }
  return true;
}

function moveToFront(list: Int32Array, i: number): void {
  const it = list[i];
  list[i] = list[0] ?? -1;
  if (it !== undefined) list[0] = it;
}
