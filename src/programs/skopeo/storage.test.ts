import { expect, test } from "vitest";
import { parseStorageList } from "./storage.ts";

test("the list of a storage: an image that lost its name to another is still there", () => {
  const text =
    '[{"id":"1","names":["quay.io/a:1"],"layer":"x"},{"id":"2"},{"id":"3","names":null}]';
  expect(parseStorageList("images.json", text)).toEqual([
    { id: "1", names: ["quay.io/a:1"] },
    { id: "2", names: [] },
    { id: "3", names: [] },
  ]);
});

test.each([
  ["half a list", '[{"id":'],
  ["no list", '{"id":"1"}'],
  ["an image without an id", '[{"names":[]}]'],
  ["a name that is none", '[{"id":"1","names":[1]}]'],
])("refuses %s", (_about, text) => {
  expect(() => parseStorageList("images.json", text)).toThrow("images.json is malformed");
});
