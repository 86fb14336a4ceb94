import { describe, expect, test } from "vitest";
import {
  formatHeader,
  type NewHeader,
  paddingOf,
  parseHeader,
  parsePax,
  writeChecksum,
} from "./header.ts";

const PLAIN: NewHeader = {
  type: "file",
  name: "usr/x",
  linkName: "",
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 3,
  records: [],
};

/** The header of a file whose bytes from `at` on are others. */
function headerWith(at: number, bytes: string | Buffer): Buffer {
  const block = formatHeader(PLAIN);
  Buffer.from(bytes).copy(block, at);
  writeChecksum(block);
  return block;
}

function recordsOf(text: string | Buffer): Readonly<Record<string, string>> {
  const records = [...parsePax(Buffer.from(text))];
  return Object.fromEntries(records.map(([key, value]) => [key, value.toString()]));
}

describe("records", () => {
  test.each<[string, string, Readonly<Record<string, string>>]>([
    ["none", "", {}],
    ["two", "6 a=b\n6 c=d\n", { a: "b", c: "d" }],
    ["the last of two counts", "6 a=b\n6 a=c\n", { a: "c" }],
    ["one without a value takes it back", "6 a=b\n5 a=\n", {}],
    ["a value after one without", "5 a=\n6 a=b\n", { a: "b" }],
    ["equals signs and line ends in a value", "10 a=b=\nc\n", { a: "b=\nc" }],
  ])("%s", (_, text, expected) => {
    expect(recordsOf(text)).toEqual(expected);
  });

  test.each([1, 5, 30])("a length with %i leading zeros, which count", (zeros) => {
    const rest = " a=b\n";
    const digits = rest.length + zeros + (rest.length + zeros + 1 > 9 ? 2 : 1);
    expect(recordsOf(`${"0".repeat(zeros)}${digits}${rest}`)).toEqual({ a: "b" });
  });

  test.each([
    ["no length", " a=b\n"],
    ["a length of zero", "0 a=b\n"],
    ["zeros alone", "000 a=b\n"],
    ["a signed length", "+6 a=b\n"],
    ["a length beyond the end", "9 a=b\n"],
    ["a length of many digits", `${"9".repeat(400)} a=b\n`],
    ["a length too short", "5 a=b\n"],
    ["no equals sign", "5 ab\n"],
    ["an equals sign in the next one", "4 a\n6 a=b\n"],
    ["no key", "5 =b\n"],
    ["no line end", "6 a=bc"],
    ["zeros for a record", "\0".repeat(9)],
  ])("refused: %s", (_, text) => {
    expect(() => recordsOf(text)).toThrow("a damaged extended header");
  });
});

describe("headers", () => {
  test("are read as they were written", () => {
    const block = formatHeader({ ...PLAIN, mode: 0o4755, uid: 7, gid: 8, sizeBytes: 0o777 });
    expect(parseHeader(block)).toMatchObject({
      type: "file",
      name: Buffer.from("usr/x"),
      mode: 0o4755,
      uid: 7,
      gid: 8,
      sizeBytes: 0o777,
      mtimeEpoch: 0,
    });
  });

  test.each([
    ["octal digits", "0000017\0", 15],
    ["blanks before, a blank behind", "    17 \0", 15],
    ["nothing", "\0".repeat(8), 0],
    ["base 256", Buffer.from("8000000000000111", "hex"), 273],
    ["negative base 256", Buffer.from("ffffffffffffffff", "hex"), -1],
  ])("a number: %s", (_, bytes, expected) => {
    expect(parseHeader(headerWith(108, bytes)).uid).toBe(expected);
  });

  test.each([
    ["no octal digit", headerWith(108, "0000008\0"), "not octal"],
    ["an impossible number", headerWith(124, Buffer.alloc(12, 0x9f)), "out of range"],
    ["a wrong checksum", Buffer.from(formatHeader(PLAIN)).fill("x", 0, 1), "wrong checksum"],
  ])("refused: %s", (_, block, expected) => {
    expect(() => parseHeader(block)).toThrow(expected);
  });

  test("the front of a long name counts in POSIX headers alone", () => {
    expect(parseHeader(headerWith(345, "front")).name.toString()).toBe("front/usr/x");
    const gnu = headerWith(257, "ustar  \0");
    gnu.write("front", 345);
    writeChecksum(gnu);
    expect(parseHeader(gnu).name.toString()).toBe("usr/x");
  });

  test("what does not fit goes into records", () => {
    const name = `usr/${"ž".repeat(60)}`;
    const sizeBytes = 0o100000000000;
    const blocks = formatHeader({ ...PLAIN, name, uid: 3_000_000, sizeBytes });
    const extension = parseHeader(blocks.subarray(0, 512));
    expect(extension.type).toBe("pax");
    expect(recordsOf(blocks.subarray(512, 512 + extension.sizeBytes))).toEqual({
      hdrcharset: "BINARY",
      path: name,
      uid: "3000000",
      size: String(sizeBytes),
    });
    expect(blocks.length % 512).toBe(0);
  });

  test.each([
    [0, 0],
    [1, 511],
    [512, 0],
    [513, 511],
  ])("padding after %i bytes: %i", (length, padding) => {
    expect(paddingOf(length)).toBe(padding);
  });
});
