import { expect, test } from "vitest";
import { flattenDevice, parseLsblk, parseSignatures } from "./lsblk.ts";

// util-linux 2.38, --bytes.
const LSBLK = JSON.stringify({
  blockdevices: [
    {
      path: "/dev/sda",
      type: "disk",
      size: 2147483648,
      model: "QEMU HARDDISK   ",
      serial: null,
      mountpoints: [null],
      children: [
        {
          path: "/dev/sda1",
          type: "part",
          size: 1048576,
          model: null,
          serial: null,
          mountpoints: ["/boot"],
        },
        {
          path: "/dev/sda2",
          type: "part",
          size: 1,
          model: null,
          serial: null,
          mountpoints: ["[SWAP]"],
        },
      ],
    },
  ],
});

test("a disk with what is on it", () => {
  const disk = parseLsblk(LSBLK);
  expect(disk).toMatchObject({ sizeBytes: 2147483648, model: "QEMU HARDDISK", serial: undefined });
  expect(flattenDevice(disk).map((it) => [it.path, it.mountPoints])).toEqual([
    ["/dev/sda", []],
    ["/dev/sda1", ["/boot"]],
    ["/dev/sda2", ["[SWAP]"]],
  ]);
});

test.each([
  ["nothing", '{"signatures": []}', []],
  ["no output at all", "", []],
  [
    "a table twice and a file system",
    '{"signatures": [{"type":"gpt","label":null},{"type":"gpt","label":null},{"type":"ext4","label":"root"}]}',
    ["gpt", "ext4 `root`"],
  ],
])("signatures: %s", (_about, text, want) => {
  expect(parseSignatures(text)).toEqual(want);
});
