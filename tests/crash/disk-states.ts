// Makes disks in the states of a recording, from the disk before it and the log of writes.
import { closeSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { sh } from "../vm/shell.ts";
import type { DiskLog, Write } from "./disk-log.ts";
import { intervalOf, keptWrites, type State } from "./states.ts";

export interface DiskStates {
  /** Makes the disk of a state at `path`. Going back to an earlier interval begins again with the first disk. */
  make(state: State, path: string): Promise<void>;
  close(): Promise<void>;
}

interface Files {
  /** The disk before the recording. */
  readonly base: string;
  readonly log: DiskLog;
  /** A folder for the disk of which all intervals up to some are complete. */
  readonly work: string;
}

export async function openDiskStates({ base, log, work }: Files): Promise<DiskStates> {
  const flushed = join(work, "flushed.img");
  let done = -1;
  const advance = async (interval: number) => {
    if (done === -1 || done > interval) {
      await copyDisk(base, flushed);
      done = 0;
    }
    const complete = log.intervals.slice(done, interval).flatMap((it) => it.writes);
    applyWrites(flushed, log, complete);
    done = interval;
  };
  return {
    async make(state, path) {
      const interval = intervalOf(log.intervals, state);
      await advance(state.interval);
      await copyDisk(flushed, path);
      applyWrites(path, log, keptWrites(interval, state));
    },
    async close() {
      await rm(flushed, { force: true });
    },
  };
}

/** Unlike `copyFile`, keeps holes as they are. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await sh("cp", ["--sparse=auto", "--reflink=auto", "--", from, to]);
}

/** Reads and writes at most this much at once. */
const CHUNK = 4 << 20;

export function applyWrites(path: string, log: DiskLog, writes: readonly Write[]): void {
  const file = openSync(path, "r+");
  try {
    for (const { at, bytes, dataAt } of writes) {
      for (let done = 0; done < bytes; done += CHUNK) {
        const length = Math.min(CHUNK, bytes - done);
        const data = dataAt === undefined ? Buffer.alloc(length) : log.read(dataAt + done, length);
        if (writeSync(file, data, 0, length, at + done) !== length) {
          throw new Error(`\`${path}\` could not be written`);
        }
      }
    }
  } finally {
    closeSync(file);
  }
}
