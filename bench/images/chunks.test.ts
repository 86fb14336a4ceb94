import { expect, test } from "vitest";
import { assignChunks, chooseChunks } from "./chunks.ts";

test("the largest package goes first, and each to the chunk that is smallest so far", () => {
  const sizes = new Map([
    ["bash", 3],
    ["kernel", 10],
    ["curl", 4],
    ["apt", 4],
  ]);
  expect([...assignChunks(sizes, 2)]).toEqual([
    ["kernel", 1],
    ["apt", 2],
    ["curl", 2],
    ["bash", 2],
  ]);
});

test("packages keep their chunks in whatever order they come", () => {
  const sizes = Array.from({ length: 50 }, (_, i) => [`package-${i}`, i % 7] as const);
  const assigned = assignChunks(new Map(sizes), 8);
  expect(assignChunks(new Map(sizes.toReversed()), 8)).toEqual(assigned);
  expect(new Set(assigned.values()).size).toBe(8);
});

test("the chosen chunks are spread evenly, each once", () => {
  const chosen = chooseChunks(12, 64);
  expect(new Set(chosen).size).toBe(12);
  expect([Math.min(...chosen), Math.max(...chosen)]).toEqual([3, 62]);
});
