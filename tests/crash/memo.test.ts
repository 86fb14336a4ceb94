import { expect, test } from "vitest";
import { createMemo } from "./memo.ts";

const contents = (...numbers: readonly number[]) => Int32Array.from(numbers);

test("only what was read has to be the same", () => {
  const memo = createMemo<string>();
  memo.add(contents(1, 2, 3, 4), [0, 2], "a");
  expect(memo.find(contents(1, 9, 3, 9))).toBe("a");
  expect(memo.find(contents(1, 2, 9, 4))).toBeUndefined();
  expect(memo.find(contents(9, 2, 3, 4))).toBeUndefined();
  expect(memo.size).toBe(1);
});

test("what differed once is compared first, and everything still is", () => {
  const memo = createMemo<string>();
  memo.add(contents(1, 2, 3, 4), [0, 1, 2, 3], "a");
  memo.add(contents(1, 2, 3, 5), [3, 2, 1, 0], "b");
  for (let i = 0; i < 4; i++) {
    const other = contents(1, 2, 3, 4);
    other[i] = 9;
    expect(memo.find(other)).toBeUndefined();
    expect(memo.find(contents(1, 2, 3, 4))).toBe("a");
    expect(memo.find(contents(1, 2, 3, 5))).toBe("b");
  }
});

test("later changes of the disk do not change what was remembered", () => {
  const memo = createMemo<string>();
  const disk = contents(1, 2);
  memo.add(disk, [0, 1], "a");
  disk[0] = 9;
  expect(memo.find(disk)).toBeUndefined();
  expect(memo.find(contents(1, 2))).toBe("a");
});
