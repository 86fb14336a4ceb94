import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DiskLog, Write } from "./disk-log.ts";
import { openDiskStates } from "./disk-states.ts";
import { numberSectors, SECTOR } from "./sectors.ts";
import { openStateDisk, type StateDisk } from "./state-disk.ts";
import { listStates, type State } from "./states.ts";

const SECTORS = 64;

let dir: string;
let disk: StateDisk;
let log: DiskLog;
let states: readonly State[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "crash-state-disk-"));
  const [base, logPath] = [join(dir, "base"), join(dir, "log")];
  writeFileSync(base, Buffer.alloc(SECTORS * SECTOR, "base"));
  // Each sector of the log differs.
  const data = Buffer.alloc(SECTORS * SECTOR);
  for (let i = 0; i < SECTORS; i++) data.fill(100 + i, i * SECTOR, (i + 1) * SECTOR);
  writeFileSync(logPath, data);
  log = {
    intervals: makeIntervals(),
    read: (offset, bytes) => data.subarray(offset, offset + bytes),
    close: () => {},
  };
  states = listStates(log.intervals);
  const numbers = numberSectors();
  const [contents, logContents] = [numbers.numberFile(base), numbers.numberFile(logPath)];
  disk = await openStateDisk({ base, contents, log, logContents, numbers, work: dir });
});
afterEach(() => {
  disk.close();
  rmSync(dir, { recursive: true });
});

function makeIntervals() {
  const write = (at: number, count: number, from?: number): Write => ({
    at: at * SECTOR,
    bytes: count * SECTOR,
    dataAt: from === undefined ? undefined : from * SECTOR,
  });
  return [
    { writes: [write(3, 4, 1), write(20, 9, 5), write(4, 1, 15)], from: 0, to: 20 },
    { writes: [write(5, 2), write(21, 3, 20), write(60, 4, 24)], from: 20, to: 40 },
    { writes: [write(3, 1, 30), write(40, 10, 31)], from: 40, to: 60 },
  ];
}

test("in whatever order states come, the disk and its numbers are as if made from the beginning", async () => {
  const work = mkdtempSync(join(dir, "other-"));
  const anew = await openDiskStates({ base: join(dir, "base"), log, work });
  const wanted = join(work, "wanted.img");
  const [first, middle] = [
    states.filter((_, i) => i % 9 === 0),
    states.filter((_, i) => i % 14 === 0),
  ];
  for (const state of [...first, ...[...middle].reverse()]) {
    await disk.load(state);
    await anew.make(state, wanted);
    expect(readFileSync(disk.path).equals(readFileSync(wanted))).toBe(true);
    expect(disk.findWrong(state)).toEqual([]);
  }
});

/** As a mount of the disk would. */
function overwrite(sector: number): void {
  const file = openSync(disk.path, "r+");
  writeSync(file, Buffer.alloc(SECTOR, "mounted"), 0, SECTOR, sector * SECTOR);
  closeSync(file);
}

test("a device that shows something older than the disk is found", async () => {
  const [state] = states.filter((it) => it.interval === 1);
  if (state === undefined) throw new Error("too few");
  await disk.load(state);
  const [from, count] = [16, 32];
  const stale = readFileSync(disk.path).subarray(from * SECTOR, (from + count) * SECTOR);
  const device = join(dir, "device");
  const show = (content: Buffer) => {
    writeFileSync(device, content);
    const window = { device, offset: from * SECTOR, bytes: count * SECTOR };
    return disk.findWrong(state, [window]);
  };
  expect(show(stale)).toEqual([]);
  stale.fill("older", 5 * SECTOR, 7 * SECTOR);
  expect(show(stale)).toEqual([from + 5, from + 6]);
});

test("what others wrote is gone in the next state if it was told, and found if it was not", async () => {
  const [one, other, third] = states.filter((it) => it.interval === 1);
  if (one === undefined || other === undefined || third === undefined) throw new Error("too few");
  await disk.load(one);
  overwrite(50);
  disk.changed(new Set([50]));
  await disk.load(other);
  expect(disk.findWrong(other)).toEqual([]);
  overwrite(51);
  await disk.load(third);
  expect(disk.findWrong(third)).toEqual([51]);
  expect(disk.read(51)).toEqual(Buffer.alloc(SECTOR, "mounted"));
  disk.changed(undefined);
  await disk.load(third);
  expect(disk.findWrong(third)).toEqual([]);
});
