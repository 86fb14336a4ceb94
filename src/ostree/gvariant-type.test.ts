import { expect, test } from "vitest";
import { parseVariantType } from "./gvariant-type.ts";

test.each(["s", "ay", "a{sv}", "(uuua(ayay))", "m(ss)", "()", "aas"])("%s is a type", (text) => {
  expect(() => parseVariantType(text)).not.toThrow();
});

test.each([
  ["nothing", ""],
  ["an unknown letter", "z"],
  ["more than one", "ss"],
  ["an array of nothing", "a"],
  ["an optional nothing", "m"],
  ["a tuple that does not end", "(s"],
  ["a tuple that ends as another", "(s}"],
  ["an entry of one", "{s}"],
  ["an entry of three", "{sss}"],
  ["an entry whose first member cannot be a key", "{ays}"],
])("%s is not a type: %j", (_, text) => {
  expect(() => parseVariantType(text)).toThrow("type");
});

test.each([
  ["arrays", (depth: number) => `${"a".repeat(depth)}s`],
  ["tuples", (depth: number) => `${"(".repeat(depth)}s${")".repeat(depth)}`],
  ["optionals", (depth: number) => `${"m".repeat(depth)}s`],
])("%s nest 32 deep and no deeper", (_, nested) => {
  expect(() => parseVariantType(nested(32))).not.toThrow();
  expect(() => parseVariantType(nested(33))).toThrow("type");
  // Without a limit, this would overflow the call stack.
  expect(() => parseVariantType(nested(100_000))).toThrow(/type/);
});

test("a type is parsed once", () => {
  expect(parseVariantType("a(sss)")).toBe(parseVariantType("a(sss)"));
});
