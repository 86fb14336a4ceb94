// Inode numbers of a repository's objects. ostree before 2023.4 looked at the lower 32 bits alone when it
// looked for files that are the same: https://github.com/ostreedev/ostree/pull/2874
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface InodeCheck {
  /** Content objects by the size of their inode numbers. */
  readonly inode64: number;
  readonly inode32: number;
  /** The inode numbers that another one equals in its lower 32 bits, in order. */
  readonly collisions: readonly bigint[];
  /** The content objects with these numbers. */
  readonly objects: readonly ObjectInode[];
}

export interface ObjectInode {
  readonly checksum: string;
  readonly inode: bigint;
}

export type ReadStats = (path: string) => Pick<BigIntStats, "ino">;

/** Looks at every content object. Synchronously: there may be several hundred thousand. */
export function checkInodes(repo: string, stat: ReadStats = statOf): InodeCheck {
  return findCollisions(listContent(repo).map((it) => inodeOf(repo, it, stat)));
}

function statOf(path: string): BigIntStats {
  return lstatSync(path, { bigint: true });
}

const OBJECT = /^([0-9a-f]{62})\.filez?$/;

/** As `ab/cdef….file`. */
function listContent(repo: string): readonly string[] {
  const top = join(repo, "objects");
  const folders = readdirSync(top).filter((it) => /^[0-9a-f]{2}$/.test(it));
  return folders.flatMap((folder) =>
    readdirSync(join(top, folder))
      .filter((it) => OBJECT.test(it))
      .map((it) => `${folder}/${it}`),
  );
}

function inodeOf(repo: string, name: string, stat: ReadStats): ObjectInode {
  const checksum = name.slice(0, 2) + name.slice(3, 65);
  return { checksum, inode: stat(`${repo}/objects/${name}`).ino };
}

const BITS = 32n;

export function findCollisions(all: readonly ObjectInode[]): InodeCheck {
  const byHalf = new Map<bigint, ObjectInode[]>();
  for (const it of all) {
    const half = BigInt.asUintN(Number(BITS), it.inode);
    const others = byHalf.get(half);
    if (others === undefined) byHalf.set(half, [it]);
    else others.push(it);
  }
  const objects = [...byHalf.values()].filter(areDifferent).flat();
  const isLarge = ({ inode }: ObjectInode) => inode >> BITS !== 0n;
  const inode64 = all.filter(isLarge).length;
  const collisions = [...new Set(objects.map((it) => it.inode))].sort((a, b) => (a < b ? -1 : 1));
  return { inode64, inode32: all.length - inode64, collisions, objects };
}

function areDifferent([first, ...others]: readonly ObjectInode[]): boolean {
  return others.some((it) => it.inode !== first?.inode);
}
