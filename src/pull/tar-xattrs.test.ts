import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { xattrRecords, xattrsOf } from "./tar-xattrs.ts";

type Records = Readonly<Record<string, string | Buffer>>;

const LABEL = { "security.selinux": "system_u:object_r:bin_t:s0" };

function attributesOf(records: Records): Readonly<Record<string, string>> {
  const map = new Map(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]));
  return Object.fromEntries(
    xattrsOf(map).map(({ name, value }) => [name, Buffer.from(value).toString("latin1")]),
  );
}

test.each<[string, Records, Readonly<Record<string, string>>]>([
  ["nothing", {}, {}],
  [
    "records that are no attributes",
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

test.each<[string, Records]>([
  ["of no namespace", { "SCHILY.xattr.odd": "x" }],
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
    expect(xattrsOf(records)).toEqual([{ name, value }]);
  },
);
