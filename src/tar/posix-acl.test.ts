import { expect, test } from "vitest";
import { storedAccessList } from "./posix-acl.ts";

type Entry = readonly [tag: number, permissions: number, id?: number];

function list(...entries: readonly Entry[]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag, permissions, id = 0xffff_ffff]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i);
    bytes.writeUInt16LE(permissions, 6 + 8 * i);
    bytes.writeUInt32LE(id, 8 + 8 * i);
  }
  return bytes;
}

const OWNER: Entry = [0x01, 6];
const USER: Entry = [0x02, 7, 1000];
const GROUP_OF_FILE: Entry = [0x04, 4];
const GROUP: Entry = [0x08, 5, 50];
const OTHER: Entry = [0x20, 4];
const mask = (permissions: number): Entry => [0x10, permissions];

test.each<[string, Buffer, number, Buffer | undefined]>([
  ["what the mode says as well", list(OWNER, GROUP_OF_FILE, OTHER), 0o644, undefined],
  ["and what it does not", list(OWNER, GROUP_OF_FILE, OTHER), 0o751, undefined],
  [
    "named users, as the mode is",
    list(OWNER, USER, GROUP_OF_FILE, GROUP, mask(7), OTHER),
    0o674,
    list(OWNER, USER, GROUP_OF_FILE, GROUP, mask(7), OTHER),
  ],
  [
    "named users, another mode",
    list(OWNER, USER, GROUP_OF_FILE, mask(7), OTHER),
    0o4751,
    list([0x01, 7], USER, GROUP_OF_FILE, mask(5), [0x20, 1]),
  ],
  [
    "a mask alone",
    list(OWNER, GROUP_OF_FILE, mask(7), OTHER),
    0o644,
    list(OWNER, GROUP_OF_FILE, mask(4), OTHER),
  ],
  [
    "an id where none belongs",
    list([0x01, 6, 0], USER, GROUP_OF_FILE, mask(4), OTHER),
    0o644,
    list(OWNER, USER, GROUP_OF_FILE, mask(4), OTHER),
  ],
])("stored: %s", (_, value, mode, expected) => {
  expect(storedAccessList(value, mode)).toEqual(expected);
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["text", Buffer.from("user::rw-")],
  [
    "another version",
    Buffer.concat([Buffer.from([1]), list(OWNER, GROUP_OF_FILE, OTHER).subarray(1)]),
  ],
  ["no entries", list()],
  ["no entry for others", list(OWNER, GROUP_OF_FILE, mask(7))],
  ["two owners", list(OWNER, OWNER, GROUP_OF_FILE, OTHER)],
  ["another order", list(GROUP_OF_FILE, OWNER, OTHER)],
  ["a named user without a mask", list(OWNER, USER, GROUP_OF_FILE, OTHER)],
  ["a named user without an id", list(OWNER, [0x02, 7], GROUP_OF_FILE, mask(7), OTHER)],
  ["an unknown entry", list(OWNER, GROUP_OF_FILE, OTHER, [0x40, 4])],
  ["other permissions", list([0x01, 8], GROUP_OF_FILE, OTHER)],
])("refused: %s", (_, value) => {
  expect(() => storedAccessList(value, 0o644)).toThrow("an access list that cannot be read");
});
