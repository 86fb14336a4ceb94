import { expect, test } from "vitest";
import { parseContentMeta } from "./content-meta.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const PLAIN = { version: 1, layers: { z: "zlib-1", a: "acl-2" }, mapping: { [A]: "z", [B]: "a" } };

const parse = (document: object) => parseContentMeta("meta.json", JSON.stringify(document));

test("parts come in the order of their ids, or in that of the document", () => {
  expect(parse(PLAIN)).toEqual({
    created: undefined,
    labels: {},
    parts: [
      { name: "acl-2", objects: new Set([B]) },
      { name: "zlib-1", objects: new Set([A]) },
    ],
  });
  const ordered = parse({ ...PLAIN, ordered: true, created: "2026-01-01T00:00:00Z" });
  expect(ordered.parts.map((it) => it.name)).toEqual(["zlib-1", "acl-2"]);
  expect(ordered.created).toBe("2026-01-01T00:00:00Z");
});

test.each([
  [{ version: 2 }, "Unsupported metadata version: 2. Currently supported: 1"],
  [{ layers: undefined }, "layers is not an object"],
  [{ mapping: { x: "z" } }, "`x` is not the checksum of an object"],
  [{ mapping: { [A]: "none" } }, "`layers` has no `none`, which `mapping` names"],
  [{ labels: { a: 1 } }, "labels.a is not a string"],
])("%j is refused", (change, said) => {
  expect(() => parse({ ...PLAIN, ...change })).toThrow(said);
});
