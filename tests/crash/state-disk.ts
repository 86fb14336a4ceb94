// A disk that goes from one state of a recording to another. Only the sectors that differ are written, and what it has in a
// state is known without writing it.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DiskLog, Write } from "./disk-log.ts";
import { applyWrites, copyDisk } from "./disk-states.ts";
import { type Contents, runsOf, SECTOR, type SectorNumbers } from "./sectors.ts";
import { intervalOf, keptWrites, type State } from "./states.ts";

export interface StateDisk {
  readonly path: string;
  /** The contents in a state, whatever the disk has now. */
  contentsOf(state: State): Contents;
  load(state: State): Promise<void>;
  /** To be told what others wrote; undefined if that is not known. */
  changed(sectors: ReadonlySet<number> | undefined): void;
  read(first: number, count?: number): Buffer;
  /** The sectors that are not as the state has them, just after it was loaded: by `at`, or in the file itself. */
  findWrong(state: State, at?: readonly Window[]): readonly number[];
  close(): void;
}

/** A device that shows a part of a disk. */
export interface Window {
  readonly device: string;
  /** Where on the disk it begins, and how much of the disk it has. */
  readonly offset: number;
  readonly bytes: number;
}

export interface StateDiskOptions {
  /** The disk before the recording, and what it contains. */
  readonly base: string;
  readonly contents: Contents;
  readonly log: DiskLog;
  /** What each sector of the log contains. */
  readonly logContents: Contents;
  readonly numbers: SectorNumbers;
  readonly work: string;
}

export async function openStateDisk(options: StateDiskOptions): Promise<StateDisk> {
  const { base, log, logContents, numbers, work } = options;
  const [flushed, path] = [join(work, "flushed.img"), join(work, "state.img")];
  for (const it of [flushed, path]) await copyDisk(base, it);
  const files = { flushed: openSync(flushed, "r"), state: openSync(path, "r+") };
  const contents = { flushed: options.contents.slice(), done: 0 };
  const disk = { done: 0, dirty: new Set<number>() as Set<number> | undefined };

  const complete = (from: number, to: number) =>
    log.intervals.slice(from, to).flatMap((it) => it.writes);
  const kept = (state: State) => keptWrites(intervalOf(log.intervals, state), state);
  const restore = async () => {
    if (disk.dirty === undefined) await copyDisk(flushed, path);
    else copySectors(files.flushed, files.state, disk.dirty);
    disk.dirty = new Set();
  };
  const contentsOf = (state: State) => {
    if (state.interval < contents.done) {
      contents.flushed.set(options.contents);
      contents.done = 0;
    }
    writeContents(contents.flushed, logContents, complete(contents.done, state.interval));
    contents.done = state.interval;
    const own = contents.flushed.slice();
    writeContents(own, logContents, kept(state));
    return own;
  };
  return {
    path,
    contentsOf,
    async load(state) {
      if (state.interval < disk.done) {
        await copyDisk(base, flushed);
        disk.dirty = undefined;
        disk.done = 0;
      }
      await restore();
      const writes = complete(disk.done, state.interval);
      for (const it of [flushed, path]) applyWrites(it, log, writes);
      disk.done = state.interval;
      applyWrites(path, log, kept(state));
      disk.dirty = new Set(kept(state).flatMap(sectorsOf));
    },
    changed(sectors) {
      if (sectors === undefined) disk.dirty = undefined;
      else for (const it of sectors) disk.dirty?.add(it);
    },
    read: (first, count = 1) => readSectors(files.state, first, count),
    findWrong(state, at) {
      const wanted = contentsOf(state);
      const windows = at ?? [{ device: path, offset: 0, bytes: wanted.length * SECTOR }];
      return windows.flatMap(({ device, offset, bytes }) => {
        const actual = numbers.numberFile(device, bytes);
        const own = Array.from(actual.keys(), (it) => offset / SECTOR + it);
        return own.filter((it) => wanted[it] !== actual[it - offset / SECTOR]);
      });
    },
    close: () => Object.values(files).forEach(closeSync),
  };
}

function sectorsOf({ at, bytes }: Write): readonly number[] {
  return Array.from({ length: bytes / SECTOR }, (_, i) => at / SECTOR + i);
}

function writeContents(to: Contents, log: Contents, writes: readonly Write[]): void {
  for (const { at, bytes, dataAt } of writes) {
    const [first, count] = [at / SECTOR, bytes / SECTOR];
    if (dataAt === undefined) to.fill(0, first, first + count);
    else to.set(log.subarray(dataAt / SECTOR, dataAt / SECTOR + count), first);
  }
}

function readSectors(file: number, first: number, count: number): Buffer {
  const data = Buffer.alloc(count * SECTOR);
  const got = readSync(file, data, 0, data.length, first * SECTOR);
  if (got !== data.length) throw new Error(`the disk ends within sector ${first}`);
  return data;
}

function copySectors(from: number, to: number, sectors: ReadonlySet<number>): void {
  for (const { from: first, count } of runsOf(sectors)) {
    const data = readSectors(from, first, count);
    if (writeSync(to, data, 0, data.length, first * SECTOR) !== data.length) {
      throw new Error("the disk could not be written");
    }
  }
}
