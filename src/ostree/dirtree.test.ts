import { expect, test } from "vitest";
import { type Dirtree, formatDirtree, parseDirtree } from "./dirtree.ts";
import { formatVariant } from "./gvariant.ts";
import { EMPTY_TREE } from "./objects.ts";

/** The same bytes from the generic writer: names and checksums of files, then of directories. */
function formatByType({ files, dirs }: Dirtree): Buffer {
  const sum = (it: string) => Buffer.from(it, "hex");
  return formatVariant("(a(say)a(sayay))", [
    files.map((it) => [it.name, sum(it.checksum)]),
    dirs.map((it) => [it.name, sum(it.tree), sum(it.meta)]),
  ]);
}

const file = (length: number) => ({ name: "f".repeat(length), checksum: EMPTY_TREE });
const dir = (length: number) => ({ name: "d".repeat(length), tree: EMPTY_TREE, meta: EMPTY_TREE });
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

// An offset has one, two or four bytes, depending on the length of its entry, list or object.
test.each<[string, readonly number[], (length: number) => Dirtree]>([
  ["a file around 255 bytes", range(210, 260), (it) => ({ files: [file(it)], dirs: [] })],
  ["a file around 64 KiB", range(65490, 65540), (it) => ({ files: [file(it)], dirs: [] })],
  ["a directory around 255 bytes", range(170, 260), (it) => ({ files: [], dirs: [dir(it)] })],
  ["a directory around 64 KiB", range(65450, 65540), (it) => ({ files: [], dirs: [dir(it)] })],
  ["both around 255 bytes", range(60, 160), (it) => ({ files: [file(it)], dirs: [dir(20)] })],
  [
    "two files around 64 KiB",
    range(65400, 65480),
    (it) => ({ files: [file(it), { ...file(1), name: "g" }], dirs: [] }),
  ],
])("offsets are as wide as the format requires: %s", (_, lengths, make) => {
  for (const length of lengths) {
    const tree = make(length);
    const bytes = formatDirtree(tree);
    expect(bytes.equals(formatByType(tree)), `a name of ${length} bytes`).toBe(true);
    expect(parseDirtree(bytes)).toEqual(tree);
  }
});

test("an empty directory has two empty lists", () => {
  const nothing = { files: [], dirs: [] };
  expect(formatDirtree(nothing)).toEqual(formatByType(nothing));
  expect(parseDirtree(formatDirtree(nothing))).toEqual(nothing);
});

test.each(["", ".", "..", "a/b", "/", "../a"])("the name %j is refused as damage", (name) => {
  const bad = [
    { files: [{ ...file(1), name }], dirs: [] },
    { files: [], dirs: [{ ...dir(1), name }] },
  ];
  for (const it of bad) {
    expect(() => parseDirtree(formatByType(it))).toThrow("a directory object is damaged");
  }
});
