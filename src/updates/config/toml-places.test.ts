import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { expect, test } from "vitest";
import { findPlace, placesInToml, type TomlPath } from "./toml-places.ts";

const at = (text: string, path: TomlPath) => {
  const places = placesInToml(text);
  return `${Object.values(findPlace(places, path, "key"))} ${Object.values(findPlace(places, path, "value"))}`;
};

test.each<[string, string, TomlPath, string]>([
  ["a value after its key", "a = 1", ["a"], "1,1 1,5"],
  ["a value below a header", "# x\n[a.b]\n c = true", ["a", "b", "c"], "3,2 3,6"],
  ["a dotted key", "[a]\n\"b\" . 'c d' = 1", ["a", "b", "c d"], "2,1 2,15"],
  ["the second table of an array", "[[a]]\nx=1\n[[a]]\nx=2", ["a", 1, "x"], "4,1 4,3"],
  ["a table below an array's table", "[[a]]\n[a.b]\nx=2", ["a", 0, "b", "x"], "3,1 3,3"],
  ["an element over several lines", 'a = [\n  "x", # y, z\n  "]",\n]', ["a", 1], "3,3 3,3"],
  ["a key in an inline table", 'a = { b = "}", c = 2 }', ["a", "c"], "1,16 1,20"],
  ["a value after a long string", 'a = """\n[b]\n\\""""\nb = 1', ["b"], "4,1 4,5"],
  ["a value after a long literal", "a = '''\nb = 2\n''''\nb = 1", ["b"], "4,1 4,5"],
  ["an escaped key", '"a\\u0041\\"" = 1', ['aA"'], "1,1 1,15"],
  ["a missing value, by its parent", "\n[a]", ["a", "b"], "2,1 2,1"],
  ["a missing value without a parent", "", ["a"], "1,1 1,1"],
])("finds %s", (_, text, path, want) => {
  parse(text);
  expect(at(text, path)).toBe(want);
});

test("every value of any document is found, and no other", () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  const key = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("a", "b c", 'q"', "d.e"));
  const tree = fc.letrec((tie) => ({
    table: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    value: fc.oneof(
      { depthSize: "small" },
      leaf,
      tie("table"),
      fc.array(leaf, { maxLength: 3 }),
      fc.array(tie("table"), { minLength: 1, maxLength: 3 }),
    ),
  })).table as fc.Arbitrary<Record<string, unknown>>;
  fc.assert(
    fc.property(tree, (document) => {
      const text = stringify(document);
      const known = new Set(placesInToml(text).map((it) => JSON.stringify(it.path)));
      for (const path of leavesOf(parse(text))) expect(known).toContain(JSON.stringify(path));
    }),
    { numRuns: 500 },
  );
});

function leavesOf(value: unknown, path: TomlPath = []): readonly TomlPath[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, it]) =>
    leavesOf(it, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}
