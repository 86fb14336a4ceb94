import { expect, test } from "vitest";
import { withoutSerializedRegexes } from "./compiled.ts";

const PCRE = "10.42 2022-12-11";

/** The beginning of a compiled file; `rest` follows. */
function compiled(version: number, architecture: string, { isLittle = true } = {}): Buffer {
  const number = (it: number) => {
    const bytes = Buffer.alloc(4);
    if (isLittle) bytes.writeUInt32LE(it);
    else bytes.writeUInt32BE(it);
    return bytes;
  };
  const text = (it: string) => [number(it.length), Buffer.from(it)];
  const start = [number(0xf97cff8a), number(version), ...text(PCRE)];
  return Buffer.concat([...start, ...text(architecture), Buffer.from("rest 8-8-el")]);
}

test.each([
  { version: 5, isLittle: true },
  { version: 6, isLittle: false },
])("version $version is made one for another architecture", ({ version, isLittle }) => {
  const bytes = compiled(version, "8-8-el", { isLittle });
  const before = Buffer.from(bytes);
  expect(withoutSerializedRegexes(bytes)).toEqual(compiled(version, "??????", { isLittle }));
  expect(bytes).toEqual(before);
});

test.each([1, 2, 3, 4])("version %i, which names no architecture, is left out", (version) => {
  expect(withoutSerializedRegexes(compiled(version, "8-8-el"))).toBeUndefined();
});

test.each([
  ["text", Buffer.from("/.*\tsystem_u:object_r:default_t:s0\n")],
  ["nothing", Buffer.alloc(0)],
  ["a file without an architecture", compiled(5, "")],
  ["a file that ends too early", compiled(5, "8-8-el").subarray(0, 34)],
  ["a file that ends in its version", compiled(5, "8-8-el").subarray(0, 10)],
])("%s stays as it is", (_, bytes) => {
  expect(withoutSerializedRegexes(bytes)).toEqual(bytes);
});
