import { expect, test } from "vitest";
import { parseEntryNames, pruneShadow } from "./shadow.ts";

const KNOWN = new Set(["root", "alice"]);

test.each([
  ["everybody is known", "root:*:1::\nalice:!:1::\n", undefined],
  ["a user that is gone", "root:*:1::\nbob:!:1::\nalice:!:1::\n", "root:*:1::\nalice:!:1::\n"],
  ["a repeated line", "root:*:1::\nroot:*:1::\n", "root:*:1::\n"],
  ["the same name with other values stays", "root:*:1::\nroot:x:2::\n", undefined],
  ["no newline at the end", "bob:*::\nroot:*::", "root:*::"],
])("%s", (_about, shadow, want) => {
  expect(pruneShadow(shadow, KNOWN)).toBe(want);
});

test("without any known user nothing is removed", () => {
  expect(pruneShadow("root:*:1::\n", new Set())).toBeUndefined();
});

test("names are the first field of lines that are not comments", () => {
  expect([...parseEntryNames("root:x:0:0::/root:/bin/sh\n# bob:\n\nalice:x:1000:")]).toEqual([
    "root",
    "alice",
  ]);
});
