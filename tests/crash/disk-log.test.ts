import { expect, test } from "vitest";
import { joinIntervals, parseDiskLog } from "./disk-log.ts";

const SECTOR = 512;

/** A log in the recorder's format: sectors, their number, flags (1 flush, 2 FUA, 4 discard). */
function makeLog(entries: readonly (readonly [at: number, sectors: number, flags: number])[]) {
  const head = Buffer.alloc(SECTOR);
  head.writeBigUInt64LE(0x6a_73_66_77_73_68_72n, 0);
  head.writeUInt32LE(SECTOR, 24);
  const blocks = entries.map(([at, sectors, flags]) => {
    const block = Buffer.alloc(SECTOR * (flags === 4 ? 1 : 1 + sectors));
    for (const [i, it] of [at, sectors, flags].entries()) block.writeBigUInt64LE(BigInt(it), i * 8);
    return block;
  });
  return Buffer.concat([head, ...blocks]);
}

function parse(log: Buffer) {
  return parseDiskLog((offset, bytes) => log.subarray(offset, offset + bytes), log.length);
}

test("writes are grouped by flushes, and flushes without writes are left out", () => {
  const log = makeLog([
    [0, 0, 1],
    [8, 2, 0],
    [100, 1, 0],
    [0, 0, 1],
    [0, 0, 1],
    [16, 8, 4],
    [8, 1, 0],
  ]);
  const [first, second] = parse(log);
  expect(parse(log)).toHaveLength(2);
  expect(first).toEqual({
    writes: [
      { at: 8 * SECTOR, bytes: 2 * SECTOR, dataAt: 3 * SECTOR },
      { at: 100 * SECTOR, bytes: SECTOR, dataAt: 6 * SECTOR },
    ],
    from: 2 * SECTOR,
    to: 8 * SECTOR,
  });
  expect(second?.writes).toEqual([
    { at: 16 * SECTOR, bytes: 8 * SECTOR, dataAt: undefined },
    { at: 8 * SECTOR, bytes: SECTOR, dataAt: 11 * SECTOR },
  ]);
  expect(second?.to).toBe(log.length);
});

test("a drive that obeys one of two flushes has the writes of two intervals at once", () => {
  const write = (at: number) => [at, 1, 0] as const;
  const log = makeLog([write(1), [0, 0, 1], write(2), [0, 0, 1], write(3)]);
  const [first, second] = joinIntervals(parse(log), 2);
  expect(first?.writes.map((it) => it.at)).toEqual([SECTOR, 2 * SECTOR]);
  expect(second?.writes.map((it) => it.at)).toEqual([3 * SECTOR]);
  expect([first?.to, second?.to]).toEqual([second?.from, log.length]);
});

test.each([
  ["another file", Buffer.alloc(SECTOR), "not a log"],
  ["a write that ends behind it", makeLog([[0, 8, 0]]).subarray(0, 4 * SECTOR), "within a write"],
  ["a write with FUA", makeLog([[0, 1, 2]]), "flushed by itself"],
])("%s is refused", (_what, log, message) => {
  expect(() => parse(log)).toThrow(message);
});
