import { expect, test } from "vitest";
import { parseJsonObject } from "./json.ts";

test("a document may have 4 MiB and no more", () => {
  const document = (bytes: number) => `{"a":"${"x".repeat(bytes - '{"a":""}'.length)}"}`;
  expect(Object.keys(parseJsonObject("the manifest", document(4 << 20)))).toEqual(["a"]);
  expect(() => parseJsonObject("the manifest", document((4 << 20) + 1))).toThrow(
    "larger than 4 MiB",
  );
});
