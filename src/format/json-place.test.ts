import fc from "fast-check";
import { expect, test } from "vitest";
import { placeOfMistake } from "./json-place.ts";

test.each([
  ["nothing at all", "", 1, 1],
  ["an object that is not closed", '{\n  "a": 1\n', 3, 1],
  ["a comma too many", '{\n  "a": 1,\n}', 3, 1],
  ["a comma too few", '{\n  "a": [1 2]\n}', 2, 11],
  ["a colon too few", '{"a" 1}', 1, 6],
  ["a key without quotes", "{\n\n a: 1}", 3, 2],
  ["a comment", '{\n  // why\n  "a": 1\n}', 2, 3],
  ["a word without a meaning", '{"a": yes}', 1, 7],
  ["a string over two lines", '["a",\n "b\n"]', 2, 2],
  ["the wrong bracket", '{"a": [1}', 1, 9],
  ["more than one value", "{}\n{}", 2, 1],
  ["a byte-order mark", "\ufeff{}", 1, 1],
])("%s", (_what, text, line, column) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(placeOfMistake(text)).toEqual({ line, column });
});

test("JSON has no mistake, and a truncated text has one at its end", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(), (text, cut) => {
      expect(placeOfMistake(text)).toBeUndefined();
      const part = `[${text}`.slice(0, 1 + (cut % text.length));
      expect(placeOfMistake(part)).toBeDefined();
    }),
    { numRuns: 200 },
  );
});

test("however large and deep it is", () => {
  const text = `${"[".repeat(1e6)}"${"x\\n".repeat(5e5)}"`;
  expect(placeOfMistake(text)).toEqual({ line: 1, column: text.length + 1 });
});
