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
  const { number, sectors } = settlingOf("/none", layout, numberSectors());
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

test("the log of XFS is forgotten, and nothing else", () => {
  const { forget } = settlingOf(makeXfs(), layOut("xfs"), numberSectors());
  const contents = new Int32Array(200_000);
  forget(contents);
  const forgotten = [...contents.keys()].filter((it) => contents[it] !== 0);
  expect([forgotten[0], forgotten.length]).toEqual([(2 * 10_000 + 6) * 8, 25 * 8]);
  expect(forgotten.at(-1)).toBe((2 * 10_000 + 6 + 25) * 8 - 1);
});

test("what is not XFS has no log to be found", () => {
  const path = join(dir, "other");
  writeFileSync(path, Buffer.alloc(SECTOR));
  expect(() => settlingOf(path, layOut("xfs"), numberSectors())).toThrow("this is not XFS");
});
