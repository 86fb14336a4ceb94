import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { DEFAULT_HOST } from "../../host/document.ts";
import { HOST_SCHEMA } from "./host.ts";
import { PROGRESS_SCHEMA } from "./progress.ts";

/** The schema without its descriptions, and with lists sorted whose order does not matter. */
function meaning(schema: unknown): unknown {
  if (Array.isArray(schema)) {
    return schema.map(meaning).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof schema !== "object" || schema === null) return schema;
  const isProse = (key: string, value: unknown) =>
    key === "description" && typeof value === "string";
  const kept = Object.entries(schema).filter(([key, value]) => !isProse(key, value));
  return Object.fromEntries(
    kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, meaning(value)]),
  );
}

test.each([
  { name: "bootc-1.16.9-host-v1", ours: HOST_SCHEMA },
  { name: "bootc-1.16.9-progress-v0", ours: PROGRESS_SCHEMA },
])("our schema accepts the same as $name", async ({ name, ours }) => {
  const file = new URL(`fixtures/${name}.schema.json`, import.meta.url);
  expect(meaning(ours)).toEqual(meaning(JSON.parse(await readFile(file, "utf8"))));
});

test("the comparison notices a changed type and a missing key", () => {
  expect(meaning({ a: { type: "string" } })).not.toEqual(meaning({ a: { type: "integer" } }));
  expect(meaning({ required: ["a"] })).not.toEqual(meaning({}));
});

test("the default document is valid", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(HOST_SCHEMA);
  expect(validate(DEFAULT_HOST), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...DEFAULT_HOST, kind: undefined, apiVersion: 1 })).toBe(false);
});
