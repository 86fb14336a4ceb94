import { expect, test } from "vitest";
import { addExtension, entryOf, noExtensions } from "./entry.ts";
import type { RawHeader } from "./header.ts";

const HEADER: RawHeader = {
  type: "file",
  name: Buffer.from("usr/x"),
  linkName: Buffer.alloc(0),
  mode: 0o644,
  uid: 7,
  gid: 8,
  sizeBytes: 0,
  mtimeEpoch: 0,
};

const OWNER_MAX = 0xffff_fffe;

/** The entry of a header, after an extended header with records, if any. */
function read(header: Partial<RawHeader>, records: Readonly<Record<string, string>> = {}) {
  const extensions = noExtensions();
  const content = Object.entries(records).map(([key, value]) => {
    // The length counts itself: two digits here.
    const rest = ` ${key}=${value}\n`;
    return `${rest.length + 2}${rest}`;
  });
  if (content.length > 0) {
    addExtension(extensions, { ...HEADER, type: "pax" }, Buffer.from(content.join("")));
  }
  return entryOf({ ...HEADER, ...header }, extensions).entry;
}

test.each<[string, Partial<RawHeader>, Readonly<Record<string, string>>, object]>([
  ["the header's owner", {}, {}, { uid: 7, gid: 8 }],
  ["the record's owner", {}, { uid: "1009", gid: "1010" }, { uid: 1009, gid: 1010 }],
  [
    "the highest owner",
    { uid: OWNER_MAX },
    { gid: String(OWNER_MAX) },
    { uid: OWNER_MAX, gid: OWNER_MAX },
  ],
  ["the record's path", {}, { path: "usr/y" }, { path: "usr/y" }],
  ["the record's link", { type: "symlink" }, { linkpath: "to" }, { linkPath: "to", mode: 0o777 }],
  ["a hard link", { type: "hardlink", linkName: Buffer.from("usr/y") }, {}, { linkPath: "usr/y" }],
  ["a directory by its name alone", { name: Buffer.from("usr/d/") }, {}, { type: "directory" }],
  ["content of a file alone", { type: "directory", sizeBytes: 5 }, {}, { sizeBytes: 0 }],
])("taken: %s", (_, header, records, want) => {
  expect(read(header, records)).toMatchObject(want);
});

test("the name and the target of GNU's own headers are taken", () => {
  const extensions = noExtensions();
  addExtension(extensions, { ...HEADER, type: "gnu-long-name" }, Buffer.from("usr/y\0"));
  addExtension(extensions, { ...HEADER, type: "gnu-long-link" }, Buffer.from("to\0rest"));
  const header = { ...HEADER, type: "symlink", linkName: Buffer.from("cut") } as const;
  expect(entryOf(header, extensions).entry).toMatchObject({ path: "usr/y", linkPath: "to" });
});

test.each<[string, Partial<RawHeader>, Readonly<Record<string, string>>, string]>([
  ["a user that means none", { uid: 0xffff_ffff }, {}, "an owner out of range"],
  ["a group that means none", { gid: 0xffff_ffff }, {}, "an owner out of range"],
  ["a user of more than 32 bits", {}, { uid: "4294967303" }, "an owner out of range"],
  ["a group of more than 32 bits", {}, { gid: "4294967304" }, "an owner out of range"],
  ["a negative user", { uid: -1 }, {}, "an owner out of range"],
  ["a negative size", { sizeBytes: -1 }, {}, "an entry of negative size"],
  ["a hard link with content", { type: "hardlink", sizeBytes: 1 }, {}, "a hard link with content"],
  ["the same by a record", { type: "hardlink" }, { size: "1" }, "a hard link with content"],
  [
    "a sparse link",
    { type: "symlink" },
    { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1" },
    "sparse file",
  ],
  ["a path with a zero byte", {}, { path: "usr/a\0b" }, "a path with a zero byte"],
  ["a path that is not UTF-8", { name: Buffer.from([0x75, 0xff]) }, {}, "UTF-8"],
  ["a target that is not UTF-8", { type: "symlink", linkName: Buffer.from([0xff]) }, {}, "UTF-8"],
])("refused: %s", (_, header, records, why) => {
  expect(() => read(header, records)).toThrow(why);
});
