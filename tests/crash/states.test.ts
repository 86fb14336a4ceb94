import { expect, test } from "vitest";
import type { Interval, Write } from "./disk-log.ts";
import {
  chooseByStrata,
  KINDS,
  type Kind,
  keptWrites,
  listStates,
  type State,
  sampleStates,
} from "./states.ts";

const KIB = 1024;

function interval(...sizes: readonly number[]): Interval {
  let dataAt = 512;
  const writes = sizes.map((bytes, i) => {
    const write = { at: i * 64 * KIB, bytes, dataAt };
    dataAt += bytes + 512;
    return write;
  });
  return { writes, from: 0, to: dataAt };
}

const ONE_SECTOR = interval(512);
const TWO_BLOCKS = interval(4 * KIB, 4 * KIB);
const LARGE = interval(4 * KIB, 16 * KIB, 512, 32 * KIB);

const count = (it: Interval, kind: Kind) =>
  listStates([it]).filter((state) => state.kind === kind).length;

test("the kinds of an interval depend on what its writes can be torn into", () => {
  const counts = [ONE_SECTOR, TWO_BLOCKS, LARGE].map((it) => KINDS.map((kind) => count(it, kind)));
  expect(counts).toEqual([
    [1, 0, 0, 0, 0, 0],
    [1, 2, 12, 0, 0, 14],
    [1, 4, 12, 10, 12, 14],
  ]);
});

test("the number of a state is its place, and the same in a longer recording", () => {
  const short = listStates([ONE_SECTOR, LARGE]);
  const long = listStates([ONE_SECTOR, LARGE, TWO_BLOCKS]);
  expect(long.slice(0, short.length)).toEqual(short);
  expect(long.map((it) => it.number)).toEqual(long.map((_, i) => i));
  for (const state of short.filter((it) => it.interval === 1)) {
    expect(keptWrites(LARGE, state)).toEqual(keptWrites(LARGE, state));
  }
});

test("further rounds follow the first one, with other random states", () => {
  const intervals = [ONE_SECTOR, TWO_BLOCKS, LARGE];
  const [one, three] = [listStates(intervals), listStates(intervals, 3)];
  expect(three.slice(0, one.length)).toEqual(one);
  const more = three.slice(one.length);
  const numbers = more.map((it) => it.number);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(numbers[0]).toBeGreaterThanOrEqual(one.length);
  // Prefixes and torn sectors of the second interval and of the third, which also has torn blocks. Its ten subsets are
  // all that there are. Of 15 prefixes that the second interval can have, the first round has most.
  expect(more.length).toBeLessThan(2 * (12 + 14 + 12 + 12 + 14));
  expect(more.length).toBeGreaterThan(2 * (14 + 12 + 12 + 14) - 20);
  expect(more.some((it) => it.kind === "subset")).toBe(false);
  const kept = (it: State) =>
    JSON.stringify([it.interval, keptWrites(intervals[it.interval] ?? ONE_SECTOR, it)]);
  expect(new Set(more.map(kept)).size).toBe(more.length);
  expect(one.map(kept).filter((it) => more.map(kept).includes(it))).toEqual([]);
  expect(more.some((it) => it.kind === "flushed" || it.kind === "one-missing")).toBe(false);
});

/** Whether `part` is within one of `writes`, at its place, with its data. */
function isPartOf(part: Write, writes: readonly Write[]): boolean {
  return writes.some(
    (it) =>
      part.at >= it.at &&
      part.at + part.bytes <= it.at + it.bytes &&
      (part.dataAt ?? 0) - (it.dataAt ?? 0) === part.at - it.at,
  );
}

test.each(KINDS)("%s: what is kept are parts of the writes, of the right size", (kind) => {
  const size = { "torn-4k": 4 * KIB, "torn-512": 512 }[kind as string];
  for (const state of listStates([LARGE]).filter((it) => it.kind === kind)) {
    const kept = keptWrites(LARGE, state);
    expect(kept.every((it) => isPartOf(it, LARGE.writes))).toBe(true);
    if (size !== undefined) expect(kept.every((it) => it.bytes <= size)).toBe(true);
    if (kind === "flushed") expect(kept).toEqual(LARGE.writes);
    if (kind === "one-missing") {
      expect(kept).toEqual(LARGE.writes.filter((_, i) => i !== state.index));
    }
    if (kind === "prefix") {
      const bytes = kept.reduce((sum, it) => sum + it.bytes, 0);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(4 * KIB + 16 * KIB + 512 + 32 * KIB);
      expect(kept.map((it) => it.at)).toEqual(
        LARGE.writes.slice(0, kept.length).map((it) => it.at),
      );
    }
  }
});

test("a sample is spread over all states, and the same every time", () => {
  const all = listStates([LARGE, TWO_BLOCKS, LARGE]);
  const some = sampleStates(all, 20);
  expect(some).toEqual(sampleStates(all, 20));
  expect(new Set(some.map((it) => it.number)).size).toBe(20);
  expect(new Set(some.map((it) => it.interval))).toEqual(new Set([0, 1, 2]));
  expect(sampleStates(all, all.length)).toBe(all);
});

test("strata give equally many states, and small ones leave their share to others", () => {
  const states = listStates([LARGE, LARGE, TWO_BLOCKS]);
  const chosen = chooseByStrata(states, 40, (it) => it.kind);
  expect(chosen.map((it) => it.number)).toEqual(
    [...new Set(chosen.map((it) => it.number))].sort((a, b) => a - b),
  );
  const counts = KINDS.map((kind) => chosen.filter((it) => it.kind === kind).length);
  expect(counts).toEqual([3, 7, 8, 7, 7, 8]);
  expect(chooseByStrata(states, 1000, (it) => it.kind)).toEqual(states);
  const few = chooseByStrata(states, 3, (it) => it.kind);
  expect(few.map((it) => it.kind).sort()).toEqual(["one-missing", "subset", "torn-512"]);
});
