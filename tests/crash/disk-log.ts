// The log of a recorder, in the format of Linux' dm-log-writes: what was written to a disk, and when it was flushed.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** A piece of the log that belongs somewhere on the disk. All numbers are bytes. */
export interface Write {
  /** Where it goes on the disk. */
  readonly at: number;
  readonly bytes: number;
  /** Where its data is in the log; undefined for zeros. */
  readonly dataAt: number | undefined;
}

/** The writes between two flushes, in their order. */
export interface Interval {
  readonly writes: readonly Write[];
  /** Where the log begins and ends for it; a phase of the recording begins at such a place. */
  readonly from: number;
  readonly to: number;
}

const MAGIC = 0x6a_73_66_77_73_68_72n;
const HEADER_BYTES = 32;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;

export type ReadAt = (offset: number, bytes: number) => Buffer;

/** Intervals without a write are left out; the last one ends with the log. */
export function parseDiskLog(read: ReadAt, size: number): readonly Interval[] {
  const head = read(0, HEADER_BYTES);
  if (head.readBigUInt64LE(0) !== MAGIC) throw new Error("this is not a log of writes");
  const sector = head.readUInt32LE(24);
  const intervals: Interval[] = [];
  let from = sector;
  let writes: Write[] = [];
  const close = (to: number) => {
    if (writes.length > 0) intervals.push({ writes, from, to });
    writes = [];
    from = to;
  };
  let at = sector;
  while (at < size) {
    const entry = read(at, HEADER_BYTES);
    const flags = entry.readBigUInt64LE(16);
    const bytes = Number(entry.readBigUInt64LE(8)) * sector;
    const place = Number(entry.readBigUInt64LE(0)) * sector;
    if ((flags & FUA) !== 0n) throw new Error("the log has a write that is flushed by itself");
    const isEmpty = (flags & DISCARD) !== 0n;
    const dataAt = at + sector;
    at = dataAt + (isEmpty ? 0 : bytes);
    if (at > size) throw new Error("the log ends within a write");
    if (bytes > 0) writes.push({ at: place, bytes, dataAt: isEmpty ? undefined : dataAt });
    if ((flags & FLUSH) !== 0n) close(at);
  }
  close(at);
  return intervals;
}

/** The intervals of a drive that obeys only one of so many flushes. */
export function joinIntervals(intervals: readonly Interval[], count: number): readonly Interval[] {
  return intervals.flatMap((first, i) => {
    if (i % count !== 0) return [];
    const group = intervals.slice(i, i + count);
    const writes = group.flatMap((it) => it.writes);
    return [{ writes, from: first.from, to: group.at(-1)?.to ?? first.to }];
  });
}

export interface DiskLog {
  readonly intervals: readonly Interval[];
  readonly read: ReadAt;
  close(): void;
}

/** With `obeyed`, as of a drive that obeys only one of so many flushes. */
export function openDiskLog(path: string, obeyed = 1): DiskLog {
  const file = openSync(path, "r");
  const read: ReadAt = (offset, bytes) => {
    const buffer = Buffer.alloc(bytes);
    const got = readSync(file, buffer, 0, bytes, offset);
    if (got !== bytes)
      throw new Error(`\`${path}\` has only ${got} of ${bytes} bytes at ${offset}`);
    return buffer;
  };
  return {
    intervals: joinIntervals(parseDiskLog(read, fstatSync(file).size), obeyed),
    read,
    close: () => closeSync(file),
  };
}
