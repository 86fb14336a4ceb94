import { expect, test } from "vitest";
import { parseMountinfo } from "./mounts.ts";
import { parsePrivileges } from "./privileges.ts";

test("mounts are read with escapes, options and devices", () => {
  const text =
    "36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 - ext3 /dev/root rw\n" +
    "37 35 0:5 / /sysroot ro,relatime - xfs /dev/vda4 rw\n\n";
  expect(parseMountinfo(text)).toEqual([
    { path: "/a b", device: "98:0", isReadOnly: false },
    { path: "/sysroot", device: "0:5", isReadOnly: true },
  ]);
});

test.each([
  { uids: "0\t0\t0\t0", caps: "000001ffffffffff", want: [true, true] },
  { uids: "1000\t0\t0\t0", caps: "000001ffffffffff", want: [true, true] },
  { uids: "0\t1000\t0\t0", caps: "000001ffffffffff", want: [false, true] },
  { uids: "0\t0\t0\t0", caps: "00000000a80425fb", want: [true, false] }, // a container's
  { uids: "0\t0\t0\t0", caps: "0000000000200000", want: [true, true] },
])("uids $uids, bounding set $caps", ({ uids, caps, want }) => {
  const { isRoot, hasSysAdmin } = parsePrivileges(`Name:\tx\nUid:\t${uids}\nCapBnd:\t${caps}\n`);
  expect([isRoot, hasSysAdmin]).toEqual(want);
});
