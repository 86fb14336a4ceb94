// What the output of the ostree program is taken for.
import { expect, test } from "vitest";
import { parsePruned } from "./ostree.ts";

test("what ostree's prune says is understood", () => {
  expect(parsePruned("Total objects: 6\nDeleted 6 objects, 44.3\u00a0kB freed\n")).toEqual({
    objects: 6,
    size: "44.3 kB",
  });
  expect(parsePruned("Total objects: 0\nNo unreachable objects\n").objects).toBe(0);
  expect(() => parsePruned("what")).toThrow("nothing that is understood");
});
