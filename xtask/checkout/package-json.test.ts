import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeError } from "../../src/errors.ts";
import { readPackageJson } from "./package-json.ts";

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "package-json-"));
});

afterEach(() => rmSync(top, { recursive: true }));

test("what it states is there, and a version that it lacks is empty", async () => {
  writeFileSync(join(top, "package.json"), '{"license":"MIT","rpm":{"buildRequires":["tar"]}}');
  expect(await readPackageJson(top)).toEqual({
    version: "",
    license: "MIT",
    rpm: { buildRequires: ["tar"] },
  });
});

test.each([
  { text: '{"version": ', want: "package.json is not JSON", causes: 1 },
  { text: "[]", want: "package.json is not an object", causes: 0 },
  { text: "null", want: "package.json is not an object", causes: 0 },
])("$text is an error that names the file", async ({ text, want, causes }) => {
  writeFileSync(join(top, "package.json"), text);
  const error = describeError(await readPackageJson(top).catch((it: unknown) => it));
  expect(error).toMatchObject({ kind: "failed", message: want });
  expect(error.causes).toHaveLength(causes);
});
