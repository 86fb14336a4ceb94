// What each sector of a disk contains, as numbers: two sectors with the same number have the same content. A whole disk is
// an array of them, so that disks are compared and changed without their data.
import { hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export const SECTOR = 512;

export type Contents = Int32Array;

export interface SectorNumbers {
  /** The number of what `data` has at a place. */
  number(data: Buffer, at: number): number;
  /** All sectors of a file; of a device, which has no size of its own, the first `bytes`. */
  numberFile(path: string, bytes?: number): Contents;
}

const CHUNK = 1 << 20;

export function numberSectors(): SectorNumbers {
  const known = new Map<string, number>();
  const zeros = Buffer.alloc(SECTOR);
  const number = (data: Buffer, at: number) => {
    const sector = data.subarray(at, at + SECTOR);
    if (sector.equals(zeros)) return 0;
    const digest = hash("sha1", sector, "base64");
    const found = known.get(digest) ?? known.size + 1;
    known.set(digest, found);
    return found;
  };
  return {
    number,
    numberFile(path, bytes) {
      const file = openSync(path, "r");
      try {
        const contents = new Int32Array((bytes ?? fstatSync(file).size) / SECTOR);
        const buffer = Buffer.alloc(CHUNK);
        const empty = Buffer.alloc(CHUNK);
        for (let done = 0; done < contents.length * SECTOR; ) {
          const got = readSync(file, buffer, 0, CHUNK, done);
          if (got < CHUNK || !buffer.equals(empty)) {
            for (let at = 0; at < got; at += SECTOR) {
              contents[(done + at) / SECTOR] = number(buffer, at);
            }
          }
          done += got;
        }
        return contents;
      } finally {
        closeSync(file);
      }
    },
  };
}

/** Sectors that follow one another. */
export interface Run {
  readonly from: number;
  readonly count: number;
}

/** A set of sectors of a disk, as few runs in the order of their places. */
export function runsOf(sectors: Iterable<number>): readonly Run[] {
  const runs: { from: number; count: number }[] = [];
  for (const it of [...new Set(sectors)].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last.from + last.count === it) last.count++;
    else runs.push({ from: it, count: 1 });
  }
  return runs;
}
