import { describe, expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { xattrRecords, xattrsOf } from "./xattrs.ts";

type Records = Readonly<Record<string, string | Buffer>>;

const LABEL = { "security.selinux": "system_u:object_r:bin_t:s0" };

function attributesOf(records: Records): Readonly<Record<string, string>> {
  const map = new Map(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]));
  return Object.fromEntries(
    xattrsOf({ records: map, mode: 0o644 }).map(({ name, value }) => [
      name,
      Buffer.from(value).toString("latin1"),
    ]),
  );
}

test.each<[string, Records, Readonly<Record<string, string>>]>([
  ["nothing", {}, {}],
  [
    "records that are not attributes",
    { path: "a", "SCHILY.acl.access": "u::rw-", comment: "c" },
    {},
  ],
  ["an attribute as it is", { "SCHILY.xattr.user.a%3Db": "dmFs" }, { "user.a%3Db": "dmFs" }],
  ["libarchive's", { "LIBARCHIVE.xattr.user.b%3Dc": "dmFs" }, { "user.b=c": "val" }],
  [
    "libarchive's, percent sign and space",
    { "LIBARCHIVE.xattr.user.%25%20": "AA" },
    { "user.% ": "\0" },
  ],
  ["libarchive's, padded base64", { "LIBARCHIVE.xattr.user.a": "dg==" }, { "user.a": "v" }],
  [
    "one told in both ways",
    { "SCHILY.xattr.user.a": "plain", "LIBARCHIVE.xattr.user.a": "dmFs" },
    { "user.a": "plain" },
  ],
  [
    "one by bsdtar, which encodes both names",
    { "SCHILY.xattr.user.b%3Dc": "val", "LIBARCHIVE.xattr.user.b%3Dc": "dmFs" },
    { "user.b=c": "val" },
  ],
  [
    "two by bsdtar, one named like the other encoded",
    {
      "SCHILY.xattr.user.b%3Dc": "1",
      "LIBARCHIVE.xattr.user.b%3Dc": "MQ",
      "SCHILY.xattr.user.b%253Dc": "2",
      "LIBARCHIVE.xattr.user.b%253Dc": "Mg",
    },
    { "user.b=c": "1", "user.b%3Dc": "2" },
  ],
  ["a value that is empty", { "SCHILY.xattr.user.a": "" }, {}],
  ["a label by GNU tar", { "RHT.security.selinux": "system_u:object_r:bin_t:s0" }, LABEL],
  [
    "a label told in both ways",
    {
      "RHT.security.selinux": "other",
      "SCHILY.xattr.security.selinux": "system_u:object_r:bin_t:s0",
    },
    LABEL,
  ],
])("read: %s", (_, records, expected) => {
  expect(attributesOf(records)).toEqual(expected);
});

describe("file capabilities", () => {
  const CAPABILITY = "SCHILY.xattr.security.capability";

  /** As <linux/capability.h> has it. */
  function capability(magic: number, ...words: readonly number[]): Buffer {
    const bytes = Buffer.alloc(4 * (1 + words.length));
    for (const [at, word] of [magic, ...words].entries()) bytes.writeUInt32LE(word, 4 * at);
    return bytes;
  }

  const DATA = [1 << 10, 0, 1 << 12, 0] as const;

  test.each([
    ["of version 2", capability(0x02000000, ...DATA), capability(0x02000000, ...DATA)],
    [
      "of version 3 with the root of a container",
      capability(0x03000000, ...DATA, 1000),
      capability(0x03000000, ...DATA, 1000),
    ],
    [
      "of version 3 with the root of the host: as the kernel gives it back",
      capability(0x03000000, ...DATA, 0),
      capability(0x02000000, ...DATA),
    ],
    [
      "of version 3 with the root of the host, effective",
      capability(0x03000001, ...DATA, 0),
      capability(0x02000001, ...DATA),
    ],
  ])("%s", (_, value, expected) => {
    expect(attributesOf({ [CAPABILITY]: value })).toEqual({
      "security.capability": expected.toString("latin1"),
    });
  });

  test.each([
    ["of version 1", capability(0x01000000, 0, 0)],
    ["of version 4", capability(0x04000000, ...DATA)],
    ["of version 2, too long", capability(0x02000000, ...DATA, 0)],
    ["of version 3, too short", capability(0x03000000, ...DATA)],
    ["with flags no kernel takes", capability(0x02000100, ...DATA)],
    ["of version 3 without a root", capability(0x03000000, ...DATA, 0xffffffff)],
    ["of two bytes", Buffer.from("no")],
  ])("refused: %s", (_, value) => {
    expectRefused({ [CAPABILITY]: value });
  });
});

test.each<[string, Records]>([
  ["of no namespace", { "SCHILY.xattr.odd": "x" }],
  ["of a namespace that merely ends like one", { "SCHILY.xattr.superuser.a": "x" }],
  ["of a namespace alone", { "SCHILY.xattr.user.": "x" }],
  ["with a zero byte", { "SCHILY.xattr.user.a\0b": "x" }],
  ["with an encoded zero byte", { "LIBARCHIVE.xattr.user.a%00b": "eA" }],
  ["with a name of 256 bytes", { [`SCHILY.xattr.user.${"x".repeat(251)}`]: "x" }],
  ["with a value of more than 64 KiB", { "SCHILY.xattr.user.a": "x".repeat(65_537) }],
  ["with a name that is not UTF-8", { "LIBARCHIVE.xattr.user.%ff": "eA" }],
  ["with half an escape", { "LIBARCHIVE.xattr.user.%f": "eA" }],
])("refused: an attribute %s", (_, records) => {
  expectRefused(records);
});

test("the longest name and the largest value that a kernel stores are read", () => {
  const name = `user.${"x".repeat(250)}`;
  const value = "x".repeat(65_536);
  expect(attributesOf({ [`SCHILY.xattr.${name}`]: value })).toEqual({ [name]: value });
});

function expectRefused(records: Records): void {
  let failure: unknown;
  try {
    attributesOf(records);
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(BootcError);
  expect(failure).toMatchObject({ kind: "integrity" });
}

test("written in descending order of names, whatever the records are called", () => {
  const xattrs = ["user.a", "user.b=c", "user.c", "security.selinux"].map((name) => ({
    name,
    value: Buffer.from("v"),
  }));
  expect(xattrRecords(xattrs).map(([key, value]) => [key, value.toString()])).toEqual([
    ["SCHILY.xattr.user.c", "v"],
    ["LIBARCHIVE.xattr.user.b%3Dc", "dg"],
    ["SCHILY.xattr.user.a", "v"],
    ["SCHILY.xattr.security.selinux", "v"],
  ]);
});

test.each(["user.a", "user.a=b", "user.=", "user.100%=", "user.ž=ß", "user.a b"])(
  "`%s` is read as it was written",
  (name) => {
    const value = Buffer.from([0, 255, 61, 10]);
    const records = new Map(xattrRecords([{ name, value }]));
    expect([...records.keys()].filter((it) => it.includes("="))).toEqual([]);
    expect(xattrsOf({ records, mode: 0o644 })).toEqual([{ name, value }]);
  },
);
