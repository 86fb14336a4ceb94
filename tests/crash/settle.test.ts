import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { layOut } from "./file-systems.ts";
import { numberSectors, SECTOR } from "./sectors.ts";
import { settlingOf } from "./settle.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "crash-settle-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("superblocks of ext4 that differ in when they were mounted count as the same, others do not", () => {
  const layout = layOut("ext4", "ext4");
  const { settle, sectors } = settlingOf("/none", layout, numberSectors());
  const number = (sector: number, content: Buffer) =>
    settle([sector], { read: () => content }).get(sector);
  const bootAt = (layout.boot?.offset ?? 0) / SECTOR;
  expect([...sectors].sort((a, b) => a - b)).toEqual([2, 3, bootAt + 2, bootAt + 3]);
  const data = Buffer.alloc(SECTOR, 1);
  const changed = (at: number) => {
    const copy = Buffer.from(data);
    copy[at] = 2;
    return copy;
  };
  for (const first of [0, bootAt]) {
    // When it was written last, and its state.
    expect(number(first + 2, changed(0x30))).toBe(number(first + 2, data));
    expect(number(first + 2, changed(0x3a))).not.toBe(number(first + 2, data));
    expect(number(first + 3, changed(0x1ff))).toBe(number(first + 3, data));
    expect(number(first + 3, changed(0x1fb))).not.toBe(number(first + 3, data));
  }
  // Elsewhere, the same bytes count.
  expect(number(4, changed(0x30))).not.toBe(number(4, data));
});

/** The fields of XFS' superblock that say where its log is. */
function makeXfs(): string {
  const data = Buffer.alloc(SECTOR);
  data.write("XFSB", 0);
  data.writeUInt32BE(4096, 4);
  const groupBits = 14;
  data.writeBigUInt64BE((2n << BigInt(groupBits)) + 6n, 48);
  data.writeUInt32BE(10_000, 84);
  data.writeUInt32BE(25, 96);
  data.writeUInt8(groupBits, 124);
  const path = join(dir, "xfs");
  writeFileSync(path, data);
  return path;
}

const LOG = { from: (2 * 10_000 + 6) * 8, count: 25 * 8 };

test("the log of XFS is forgotten, and nothing else", () => {
  const { forget } = settlingOf(makeXfs(), layOut("xfs"), numberSectors());
  const contents = new Int32Array(200_000);
  forget(contents);
  const forgotten = [...contents.keys()].filter((it) => contents[it] !== 0);
  expect([forgotten[0], forgotten.length]).toEqual([LOG.from, LOG.count]);
  expect(forgotten.at(-1)).toBe(LOG.from + LOG.count - 1);
});

/** A log with records at these positions, each a round and a sector. */
function makeLog(positions: readonly (readonly [round: number, sector: number])[]): Buffer {
  const log = Buffer.alloc(LOG.count * SECTOR, 7);
  for (const [round, sector] of positions) {
    log.writeUInt32BE(0xfeedbabe, sector * SECTOR);
    log.writeUInt32BE(round, sector * SECTOR + 16);
    log.writeUInt32BE(sector, sector * SECTOR + 20);
  }
  return log;
}

test("the end of the log of XFS counts, and what is in it does not", () => {
  const { settle } = settlingOf(makeXfs(), layOut("xfs"), numberSectors());
  const settled = (log: Buffer) => {
    const read = (first: number, count = 1) =>
      log.subarray((first - LOG.from) * SECTOR, (first - LOG.from + count) * SECTOR);
    return [...settle([LOG.from + 3], { read })];
  };
  const one = settled(makeLog([[1, 9]]));
  expect(one).toEqual([[LOG.from, expect.any(Number)]]);
  expect(
    settled(
      makeLog([
        [1, 4],
        [1, 9],
      ]),
    ),
  ).toEqual(one);
  expect(settled(makeLog([[1, 10]]))).not.toEqual(one);
  // The round counts more than the place.
  const later = settled(makeLog([[2, 4]]));
  expect(later).not.toEqual(one);
  expect(
    settled(
      makeLog([
        [1, 9],
        [2, 4],
      ]),
    ),
  ).toEqual(later);
});

test("what is not XFS has no log to be found", () => {
  const path = join(dir, "other");
  writeFileSync(path, Buffer.alloc(SECTOR));
  expect(() => settlingOf(path, layOut("xfs"), numberSectors())).toThrow("this is not XFS");
});
