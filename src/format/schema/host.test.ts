import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { DEFAULT_HOST } from "../../host/document.ts";
import { schemaMeaning, upstreamMeaning } from "../../testing/schema-meaning.ts";
import { HOST_SCHEMA } from "./host.ts";

test("our schema accepts the same as bootc 1.16.9's", async () => {
  expect(schemaMeaning(HOST_SCHEMA)).toEqual(await upstreamMeaning("bootc-1.16.9-host-v1"));
});

test("the comparison notices a changed type and a missing key", () => {
  const text = { a: { type: "string" } };
  expect(schemaMeaning(text)).not.toEqual(schemaMeaning({ a: { type: "integer" } }));
  expect(schemaMeaning({ required: ["a"] })).not.toEqual(schemaMeaning({}));
});

test("the default document is valid", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(HOST_SCHEMA);
  expect(validate(DEFAULT_HOST), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...DEFAULT_HOST, kind: undefined, apiVersion: 1 })).toBe(false);
});
