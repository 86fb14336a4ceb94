import { expect, test } from "vitest";
import { findCollisions } from "./inodes.ts";
import { describeCollisions, formatInodeCheck, formatRepairResult } from "./result.ts";

const LARGE = 1n << 32n;

function objects(...inodes: readonly bigint[]) {
  return inodes.map((inode, i) => ({ checksum: `${i}`.repeat(4), inode }));
}

test.each([
  { inodes: [1n, 2n, 3n], large: 0, want: [] },
  { inodes: [1n, LARGE + 2n], large: 1, want: [] },
  { inodes: [LARGE + 1n, 1n, 7n], large: 1, want: [1n, LARGE + 1n] },
  { inodes: [3n * LARGE + 5n, LARGE + 5n], large: 2, want: [LARGE + 5n, 3n * LARGE + 5n] },
  // Hard links to one file, which is not two files.
  { inodes: [LARGE + 1n, LARGE + 1n], large: 2, want: [] },
])("$inodes collide: $want", ({ inodes, large, want }) => {
  const { inode64, inode32, collisions } = findCollisions(objects(...inodes));
  expect(collisions).toEqual(want);
  expect([inode64, inode32]).toEqual([large, inodes.length - large]);
});

test("inode numbers keep all their digits", () => {
  const check = findCollisions(objects((9n * LARGE ** 2n) / 10n + 1n, 1n, 2n));
  expect(formatInodeCheck(check)).toBe('{"inode64":1,"inode32":2,"collisions":[]}');
  const two = findCollisions(objects((1n << 60n) + 1n, 1n));
  expect(formatInodeCheck(two)).toBe(
    '{"inode64":1,"inode32":1,"collisions":[1,1152921504606846977]}',
  );
  expect(describeCollisions(two)).toContain("collision: inode 1152921504606846977, object 0000");
  expect(
    JSON.parse(
      formatRepairResult({
        inodes: check,
        images: ["docker://a"],
        isBootedWrong: true,
        isStagedWrong: false,
      }),
    ),
  ).toEqual({
    inodes: { inode64: 1, inode32: 2, collisions: [] },
    "likely-corrupted-container-image-merges": ["docker://a"],
    "booted-is-likely-corrupted": true,
    "staged-is-likely-corrupted": false,
  });
});
