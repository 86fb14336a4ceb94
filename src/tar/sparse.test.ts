import { describe, expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { createExpander, sparseOf } from "./sparse.ts";

type Records = Readonly<Record<string, string | number>>;

const OLD = { "GNU.sparse.size": 20, "GNU.sparse.numblocks": 2, "GNU.sparse.map": "3,2,10,4" };
const NEW = { "GNU.sparse.major": 1, "GNU.sparse.minor": 0, "GNU.sparse.realsize": 20 };

function sparse(records: Records, storedBytes: number) {
  const map = new Map(Object.entries(records).map(([key, it]) => [key, Buffer.from(String(it))]));
  return sparseOf(map, { path: "usr/x", storedBytes });
}

/** What is stored comes in pieces of `size` bytes; a hole is told as its length, neighbouring data as one. */
function expand(records: Records, stored: Buffer, size = Math.max(1, stored.length)) {
  const file = sparse(records, stored.length);
  if (file === undefined) throw new Error("not sparse");
  const expander = createExpander(file, { path: "usr/x", storedBytes: stored.length });
  const parts: (string | number)[] = [];
  for (let at = 0; at < stored.length; at += size) {
    const piece = stored.subarray(at, at + size);
    expander.take(piece, {
      data(start, end) {
        const text = piece.toString("latin1", start, end);
        const last = parts.at(-1);
        if (typeof last === "string") parts[parts.length - 1] = last + text;
        else parts.push(text);
      },
      hole: (bytes) => parts.push(bytes),
    });
  }
  expander.end({ data: () => parts.push("unexpected"), hole: (bytes) => parts.push(bytes) });
  return parts;
}

/** The map of format 1.0, and the data behind it. */
function withMap(map: string, data = ""): Buffer {
  const length = Math.ceil(map.length / 512) * 512;
  return Buffer.concat([Buffer.from(map.padEnd(length, "\0")), Buffer.from(data)]);
}

test("a file without records about it is not sparse", () => {
  expect(sparse({}, 5)).toBeUndefined();
  expect(sparse({ path: "a", "SCHILY.realsize": 7 }, 5)).toBeUndefined();
});

const DATA = Buffer.from("abcdef");
const EXPANDED = [3, "ab", 5, "cdef", 6];

describe("expanded", () => {
  test.each<[string, Records, Buffer, (string | number)[]]>([
    ["holes before, between and behind", OLD, DATA, EXPANDED],
    ["parts without a hole between", { ...OLD, "GNU.sparse.map": "0,2,2,4" }, DATA, ["abcdef", 14]],
    ["parts without data", { ...OLD, "GNU.sparse.map": "0,0,14,6" }, DATA, [14, "abcdef"]],
    ["one hole", { ...OLD, "GNU.sparse.map": "20,0,20,0" }, Buffer.alloc(0), [20]],
    ["no parts", { ...NEW, "GNU.sparse.realsize": 7 }, withMap("0\n"), [7]],
    ["nothing", { ...NEW, "GNU.sparse.realsize": 0 }, withMap("1\n0\n0\n"), []],
    ["a version", { ...OLD, "GNU.sparse.major": 0, "GNU.sparse.minor": 1 }, DATA, EXPANDED],
    ["the size told twice", { ...OLD, "GNU.sparse.realsize": 20 }, DATA, EXPANDED],
    ["zeros", { ...OLD, "GNU.sparse.map": `${"0".repeat(20)}3,02,010,4` }, DATA, EXPANDED],
  ])("%s", (_, records, stored, expected) => {
    for (const size of [512, 3, 1]) expect(expand(records, stored, size)).toEqual(expected);
  });

  test.each([1, 7, 511, 512, 513, 5000])(
    "a map at the start of content in pieces of %i",
    (size) => {
      const stored = withMap("2\n3\n2\n10\n4\n", "abcdef");
      expect(expand(NEW, stored, size)).toEqual([3, "ab", 5, "cdef", 6]);
    },
  );

  test("a map of exactly a block", () => {
    const map = `2\n3\n2\n10\n4\n`.padStart(512, "0");
    expect(expand(NEW, withMap(map, "abcdef"), 100)).toEqual([3, "ab", 5, "cdef", 6]);
  });

  test("a map of many parts, a hole of nearly a petabyte", () => {
    const count = 1 << 18;
    const map = Array.from({ length: count }, (_, i) => `${2 * i}\n1\n`).join("");
    const size = 999_999_999_999_999;
    const stored = withMap(`${count}\n${map}`, "x".repeat(count));
    const parts = expand({ ...NEW, "GNU.sparse.realsize": size }, stored, 65_536);
    expect(parts).toHaveLength(2 * count);
    expect(parts.at(-1)).toBe(size - 2 * count + 1);
  });
});

describe("refused", () => {
  test.each<[string, Records, string]>([
    ["no size", { "GNU.sparse.map": "0,6", "GNU.sparse.numblocks": 1 }, "has no size"],
    ["two sizes", { ...OLD, "GNU.sparse.realsize": 21 }, "has two sizes"],
    ["no map", { "GNU.sparse.size": 20, "GNU.sparse.numblocks": 0 }, "has no map"],
    ["two maps", { ...OLD, ...NEW }, "has two maps"],
    ["no number of parts", { "GNU.sparse.size": 20, "GNU.sparse.map": "0,6" }, "number of parts"],
    ["another number of parts", { ...OLD, "GNU.sparse.numblocks": 3 }, "number of parts"],
    ["half a part", { ...OLD, "GNU.sparse.map": "3,2,10" }, "number of parts"],
    ["a version of the future", { ...NEW, "GNU.sparse.minor": 1 }, "unknown format 1.1"],
    ["half a version", { "GNU.sparse.major": 1, "GNU.sparse.realsize": 20 }, "unknown format 1."],
    ["a version in other digits", { ...NEW, "GNU.sparse.minor": "00" }, "unknown format 1.00"],
    ["parts that overlap", { ...OLD, "GNU.sparse.map": "3,3,5,3" }, "overlap"],
    ["parts not in order", { ...OLD, "GNU.sparse.map": "10,4,3,2" }, "not in order"],
    ["a part beyond the end", { ...OLD, "GNU.sparse.map": "3,2,17,4" }, "beyond its end"],
    [
      "a part that begins beyond the end",
      { ...OLD, "GNU.sparse.map": "3,6,21,0" },
      "beyond its end",
    ],
    ["less data than told", { ...OLD, "GNU.sparse.map": "3,2,10,5" }, "another amount"],
    ["more data than told", { ...OLD, "GNU.sparse.map": "3,2,10,3" }, "another amount"],
    ["a negative number", { ...OLD, "GNU.sparse.map": "3,-2,10,4" }, "cannot be read"],
    ["no number", { ...OLD, "GNU.sparse.map": "3,,10,4" }, "cannot be read"],
    ["a comma too much", { ...OLD, "GNU.sparse.map": "3,2,10,4," }, "cannot be read"],
    ["lines for commas", { ...OLD, "GNU.sparse.map": "3\n2\n10\n4" }, "cannot be read"],
    [
      "a number out of range",
      { ...OLD, "GNU.sparse.map": "3,9999999999999999,10,4" },
      "cannot be read",
    ],
    [
      "a size out of range",
      { ...OLD, "GNU.sparse.size": "9".repeat(16) },
      "impossible GNU.sparse.size",
    ],
    ["too many parts", { ...OLD, "GNU.sparse.map": "0,".repeat(600_000) }, "too many parts"],
  ])("in records: %s", (_, records, expected) => {
    expectRefused(() => sparse(records, 6), expected);
  });

  test.each<[string, Buffer, string]>([
    ["content that ends inside the map", Buffer.from("2\n3\n2\n10\n4"), "inside its map"],
    ["content that ends with the map, without padding", Buffer.from("1\n0\n0\n"), "another amount"],
    ["no content", Buffer.alloc(0), "inside its map"],
    ["no map", withMap("abcdef"), "cannot be read"],
    ["zeros for a map", Buffer.alloc(512), "cannot be read"],
    ["parts that overlap", withMap("2\n3\n3\n5\n3\n", "abcdef"), "overlap"],
    ["parts not in order", withMap("2\n10\n4\n3\n2\n", "abcdef"), "not in order"],
    ["a part beyond the end", withMap("1\n15\n6\n", "abcdef"), "beyond its end"],
    ["less data than told", withMap("1\n0\n6\n", "abcde"), "another amount"],
    ["more data than told", withMap("1\n0\n6\n", "abcdefg"), "another amount"],
    ["too many parts told", withMap("262145\n"), "too many parts"],
    ["a number without an end", Buffer.alloc(9 << 20, "0"), "too many parts"],
  ])("in content: %s", (_, stored, expected) => {
    for (const size of [512, 100]) expectRefused(() => expand(NEW, stored, size), expected);
  });

  function expectRefused(work: () => unknown, expected: string): void {
    let failure: unknown;
    try {
      work();
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(BootcError);
    expect(failure).toMatchObject({
      kind: "integrity",
      message: expect.stringContaining(expected),
    });
  }
});
