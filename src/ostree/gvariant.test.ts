import fc from "fast-check";
import { expect, test } from "vitest";
import { formatVariant, parseVariant, type VariantValue } from "./gvariant.ts";

const hex = (type: string, value: VariantValue) => formatVariant(type, value).toString("hex");

// The examples of the GVariant specification, section 2.6, in little-endian order.
test.each<[string, VariantValue, string]>([
  ["s", "hello world", "68656c6c6f20776f726c6400"],
  ["ms", "hello world", "68656c6c6f20776f726c640000"],
  ["ms", null, ""],
  ["ab", [true, false, false, true, true], "0100000101"],
  ["(si)", ["foo", -1], "666f6f00ffffffff04"],
  [
    "a(si)",
    [
      ["hi", -2],
      ["bye", -1],
    ],
    "686900 00feffffff0300000062796500ffffffff040915".replaceAll(" ", ""),
  ],
  ["as", ["i", "can", "has", "strings?"], "690063616e0068617300737472696e67733f0002060a13"],
  [
    "((ys)as)",
    [
      [0x69, "can"],
      ["has", "strings?"],
    ],
    "6963616e0068617300737472696e67733f00040d05",
  ],
  ["(yy)", [0x70, 0x80], "7080"],
  ["(iy)", [96, 0x70], "6000000070000000"],
  [
    "a(iy)",
    [
      [96, 0x70],
      [648, 0xf7],
    ],
    "600000007000000088020000f7000000",
  ],
  ["ai", [4, 258], "0400000002010000"],
  ["{si}", ["a key", 514], "61206b657900000002020000 06".replaceAll(" ", "")],
  ["()", [], "00"],
  ["v", { type: "u", value: 1 }, "010000000075"],
  ["a{sv}", [], ""],
])("%s is written and read as the specification says", (type, value, want) => {
  expect(hex(type, value)).toBe(want);
  expect(parseVariant(type, Buffer.from(want, "hex"))).toEqual(value);
});

const leaf = fc.oneof(
  fc.record({ type: fc.constant("s"), value: fc.string().filter((it) => !it.includes("\0")) }),
  fc.record({ type: fc.constant("b"), value: fc.boolean() }),
  fc.record({ type: fc.constant("u"), value: fc.nat() }),
  fc.record({ type: fc.constant("t"), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ type: fc.constant("(yq)"), value: fc.tuple(fc.nat(255), fc.nat(65535)) }),
  fc.record({
    type: fc.constant("(tt)"),
    value: fc.tuple(fc.bigInt({ min: 0n, max: 9n }), fc.constant(1n)),
  }),
  fc.record({ type: fc.constant("as"), value: fc.array(fc.stringMatching(/^[a-z]*$/)) }),
  fc.record({
    type: fc.constant("ams"),
    value: fc.array(fc.option(fc.stringMatching(/^[a-z]*$/))),
  }),
);

test("any dictionary survives being written and read", () => {
  const dictionary = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{0,40}$/), leaf), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(dictionary, (it) => {
      expect(parseVariant("a{sv}", formatVariant("a{sv}", it))).toEqual(it);
    }),
  );
});

test("random bytes are a value or an integrity error", () => {
  const type = fc.constantFrom(
    "a{sv}",
    "(a{sv}aya(say)sstayay)",
    "as",
    "v",
    "(uuua(ayay))",
    "ms",
    "a(si)",
  );
  fc.assert(
    fc.property(type, fc.uint8Array({ maxLength: 200 }), (it, bytes) => {
      try {
        parseVariant(it, bytes);
      } catch (error) {
        expect(error).toMatchObject({ kind: "integrity" });
      }
    }),
    { numRuns: 2000 },
  );
});

test.each(["", "a", "(s", "{vs}", "{s}", "q)", "k", "ss", "a".repeat(40)])(
  "`%s` is refused as a type",
  (type) => {
    expect(() => parseVariant(type, Buffer.alloc(0))).toThrow("is not a GVariant type");
  },
);

test("a value of the wrong kind is a defect of the caller", () => {
  expect(() => formatVariant("s", 1)).toThrow(TypeError);
  expect(() => formatVariant("(ss)", ["a"])).toThrow(TypeError);
});

test.each<[string, VariantValue, string]>([
  ["b", true, "01"],
  ["y", 255, "ff"],
  ["n", -2, "feff"],
  ["q", 0xfffe, "feff"],
  ["i", -2, "feffffff"],
  ["h", 7, "07000000"],
  ["u", 0xfffffffe, "feffffff"],
  ["x", -2n, "feffffffffffffff"],
  ["t", 2n ** 64n - 2n, "feffffffffffffff"],
  ["d", 1.5, "000000000000f83f"],
])("%s has its own size, and no other", (type, value, want) => {
  expect(hex(type, value)).toBe(want);
  const bytes = Buffer.from(want, "hex");
  expect(parseVariant(type, bytes)).toEqual(value);
  for (const other of [bytes.subarray(1), Buffer.concat([bytes, Buffer.alloc(1)])]) {
    expect(() => parseVariant(type, other)).toThrow("GVariant");
  }
});

test.each<[string, VariantValue]>([
  ["b", 1],
  ["t", 1],
  ["x", true],
  ["u", 1n],
  ["d", "1"],
  ["s", "a\0b"],
  ["v", null],
  ["v", "s"],
  ["v", []],
  ["ay", "a"],
  ["as", "a"],
  ["(s)", "a"],
  ["(s)", ["a", "b"]],
])("%s cannot be written from %s", (type, value) => {
  expect(() => formatVariant(type, value)).toThrow(TypeError);
});

// One byte of text, its zero, and an offset: one more byte may need a wider offset.
test.each([
  [252, 1],
  [253, 1],
  [254, 2],
  [0xfffc, 2],
  [0xfffd, 4],
])("offsets are as wide as %d bytes of text need: %d", (length, width) => {
  const text = "x".repeat(length);
  const bytes = formatVariant("as", [text]);
  expect(bytes.length).toBe(length + 1 + width);
  expect(parseVariant("as", bytes)).toEqual([text]);
});
