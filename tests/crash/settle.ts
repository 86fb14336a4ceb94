// What a file system writes down about itself when it is mounted, and what it never reads again once it was mounted and
// unmounted. Disks that differ only in that hold the same files.
import { closeSync, openSync, readSync } from "node:fs";
import type { Layout, Part } from "./file-systems.ts";
import { type Contents, type Run, SECTOR, type SectorNumbers } from "./sectors.ts";

interface Field {
  /** Where it is in the file system. */
  readonly at: number;
  readonly bytes: number;
}

const EXT4_SUPERBLOCK = 1024;

/** Times and counts of mounts, and the checksum, which the mount has verified. */
const EXT4_FIELDS: readonly Field[] = [
  // Last mounted, last written, how often mounted.
  { at: EXT4_SUPERBLOCK + 0x2c, bytes: 10 },
  { at: EXT4_SUPERBLOCK + 0x178, bytes: 8 },
  { at: EXT4_SUPERBLOCK + 0x3fc, bytes: 4 },
];

export interface Settling {
  /** Sectors with such fields. */
  readonly sectors: ReadonlySet<number>;
  /** What counts of sectors that a mount and unmount have written, and of those with such fields. */
  settle(written: Iterable<number>, disk: Disk): ReadonlyMap<number, number>;
  /** Forgets what is not read again, before it is known what counts. */
  forget(contents: Contents): void;
}

interface Disk {
  read(first: number, count?: number): Buffer;
}

const FORGOTTEN = -2;

export function settlingOf(base: string, layout: Layout, numbers: SectorNumbers): Settling {
  const parts = [layout.root, layout.boot].filter((it) => it !== undefined);
  const fields = parts
    .filter((it) => it.type === "ext4")
    .flatMap(({ offset }) => EXT4_FIELDS.map((it) => ({ ...it, at: offset + it.at })));
  const logs = parts.filter((it) => it.type === "xfs").map((it) => findXfsLog(base, it));
  const sectors = new Set(fields.map((it) => Math.floor(it.at / SECTOR)));
  const isInLog = (sector: number) =>
    logs.some(({ from, count }) => sector >= from && sector < from + count);
  const numberOf = (sector: number, data: Buffer) => {
    const blanked = Buffer.from(data);
    for (const { at, bytes } of fields) {
      const within = at - sector * SECTOR;
      if (within >= 0 && within < SECTOR) blanked.fill(0, within, within + bytes);
    }
    return numbers.number(blanked, 0);
  };
  return {
    sectors,
    settle(written, disk) {
      const counting = [...written, ...sectors].filter((it) => !isInLog(it));
      return new Map([
        ...counting.map((it) => [it, numberOf(it, disk.read(it))] as const),
        ...logs.map((it) => [it.from, numbers.number(readXfsEnd(disk, it), 0)] as const),
      ]);
    },
    forget(contents) {
      for (const { from, count } of logs) contents.fill(FORGOTTEN, from, from + count);
    },
  };
}

/** Begins each record of the log of XFS; in all other sectors of it, a count of rounds is in its place. */
const XFS_RECORD = 0xfeedbabe;
/** Where a record has its own position, which only grows: the round, and the sector in the log. */
const XFS_POSITION = 16;

/**
 * A sector with the position of the last record of a log. XFS mounts only if nothing in the file system is of a later one,
 * and goes on from there.
 */
function readXfsEnd(disk: Disk, { from, count }: Run): Buffer {
  const log = disk.read(from, count);
  let last = 0n;
  for (let at = 0; at < log.length; at += SECTOR) {
    if (log.readUInt32BE(at) !== XFS_RECORD) continue;
    const position = log.readBigUInt64BE(at + XFS_POSITION);
    if (position > last) last = position;
  }
  const end = Buffer.alloc(SECTOR);
  end.write("end of the log of XFS");
  end.writeBigUInt64BE(last, SECTOR / 2);
  return end;
}

/** After it was unmounted, the log of XFS has only an end; ext4's is read, and thus not forgotten. */
function findXfsLog(base: string, { offset }: Part): Run {
  const data = Buffer.alloc(SECTOR);
  const file = openSync(base, "r");
  try {
    readSync(file, data, 0, SECTOR, offset);
  } finally {
    closeSync(file);
  }
  if (data.toString("latin1", 0, 4) !== "XFSB") throw new Error("this is not XFS");
  const [block, start] = [data.readUInt32BE(4), data.readBigUInt64BE(48)];
  const [groupBlocks, groupBits] = [data.readUInt32BE(84), BigInt(data.readUInt8(124))];
  // The number of a block has that of its allocation group in the upper bits.
  const group = Number(start >> groupBits);
  const within = Number(start & ((1n << groupBits) - 1n));
  return {
    from: (offset + (group * groupBlocks + within) * block) / SECTOR,
    count: (data.readUInt32BE(96) * block) / SECTOR,
  };
}
