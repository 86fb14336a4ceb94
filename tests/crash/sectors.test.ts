import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { numberSectors, runsOf, SECTOR } from "./sectors.ts";

const sector = (fill: number) => Buffer.alloc(SECTOR, fill);

test("sectors have the same number exactly if they have the same content, and zeros have 0", () => {
  const numbers = numberSectors();
  const data = Buffer.concat([sector(7), sector(0), sector(8), sector(7)]);
  const [a, zeros, b, again] = [0, 1, 2, 3].map((it) => numbers.number(data, it * SECTOR));
  expect(zeros).toBe(0);
  expect(again).toBe(a);
  expect(new Set([a, b, 0]).size).toBe(3);
  expect(numbers.number(Buffer.concat([sector(8).subarray(1), Buffer.from([9])]), 0)).not.toBe(b);
});

test("the numbers of a file, beyond what is read at once", () => {
  const dir = mkdtempSync(join(tmpdir(), "crash-sectors-"));
  try {
    const path = join(dir, "disk");
    const image = Buffer.alloc(3 << 20);
    for (const at of [0, (1 << 20) - SECTOR, 1 << 20, (3 << 20) - SECTOR])
      image.fill(5, at, at + SECTOR);
    writeFileSync(path, image);
    const numbers = numberSectors();
    const contents = numbers.numberFile(path);
    expect(contents.length).toBe((3 << 20) / SECTOR);
    const found = [...contents.keys()].filter((it) => contents[it] !== 0);
    expect(found).toEqual([0, 2047, 2048, 6143]);
    expect(found.map((it) => contents[it])).toEqual(Array(4).fill(numbers.number(sector(5), 0)));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("runs are as few as can be", () => {
  expect(runsOf([])).toEqual([]);
  expect(runsOf([9, 3, 2, 3, 10, 1, 5])).toEqual([
    { from: 1, count: 3 },
    { from: 5, count: 1 },
    { from: 9, count: 2 },
  ]);
});
