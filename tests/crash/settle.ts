// What a file system writes down about itself when it is mounted, and what it never reads again once it was mounted and
// unmounted. Disks that differ only in that hold the same files.
import { closeSync, openSync, readSync } from "node:fs";
import type { FileSystemName, Layout, Part } from "./file-systems.ts";
import { type Contents, type Run, SECTOR, type SectorNumbers } from "./sectors.ts";

interface Field {
  /** Where it is in the file system. */
  readonly at: number;
  readonly bytes: number;
}

const EXT4_SUPERBLOCK = 1024;

/** Times and counts of mounts, positions in the log, and checksums, which the mount has verified. */
const FIELDS: Readonly<Record<FileSystemName, readonly Field[]>> = {
  ext4: [
    // Last mounted, last written, how often mounted.
    { at: EXT4_SUPERBLOCK + 0x2c, bytes: 10 },
    { at: EXT4_SUPERBLOCK + 0x178, bytes: 8 },
    { at: EXT4_SUPERBLOCK + 0x3fc, bytes: 4 },
  ],
  xfs: [
    { at: 224, bytes: 4 },
    { at: 240, bytes: 8 },
  ],
  btrfs: [],
};

export interface Settling {
  /** Sectors with such fields. */
  readonly sectors: ReadonlySet<number>;
  /** The number of a sector's content without them. */
  number(sector: number, data: Buffer): number;
  /** Forgets what is not read again. */
  forget(contents: Contents): void;
}

const FORGOTTEN = -2;

export function settlingOf(base: string, layout: Layout, numbers: SectorNumbers): Settling {
  const parts = [layout.root, layout.boot].filter((it) => it !== undefined);
  const fields = parts.flatMap(({ type, offset }) =>
    FIELDS[type].map(({ at, bytes }) => ({ at: offset + at, bytes })),
  );
  const logs = parts.filter((it) => it.type === "xfs").map((it) => findXfsLog(base, it));
  return {
    sectors: new Set(fields.map((it) => Math.floor(it.at / SECTOR))),
    number(sector, data) {
      const blanked = Buffer.from(data);
      for (const { at, bytes } of fields) {
        const within = at - sector * SECTOR;
        if (within >= 0 && within < SECTOR) blanked.fill(0, within, within + bytes);
      }
      return numbers.number(blanked, 0);
    },
    forget(contents) {
      for (const { from, count } of logs) contents.fill(FORGOTTEN, from, from + count);
    },
  };
}

/** The log of XFS is empty after it was unmounted; ext4's then has nothing that is read. */
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
