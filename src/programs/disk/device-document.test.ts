import { expect, test } from "vitest";
import { completeDevice, parseProbe } from "./device-document.ts";

const NO_UDEV = {
  name: "vda2",
  path: "/dev/vda2",
  type: "part",
  "maj:min": "254:2",
  ...{ partlabel: null, parttype: null, partuuid: null, fstype: null, mountpoints: [null] },
};
const SYSFS = { partition: "2", start: "2048", size: "1024", ro: "0" };

test("what lsblk does not know comes from the kernel and the device", () => {
  const probed = parseProbe(
    "DEVNAME=/dev/vda2\nLABEL=my\\ root\nUUID=1-2\nTYPE=ext4\nPART_ENTRY_SCHEME=gpt\n" +
      "PART_ENTRY_NAME=a\\'b\nPART_ENTRY_UUID=3-4\nPART_ENTRY_TYPE=5-6\nPART_ENTRY_NUMBER=2\n",
  );
  expect(completeDevice(NO_UDEV, { sysfs: SYSFS, probed })).toEqual({
    name: "vda2",
    path: "/dev/vda2",
    type: "part",
    "maj:min": "254:2",
    size: 524288,
    ro: false,
    serial: null,
    model: null,
    pttype: "gpt",
    partn: 2,
    partlabel: "a'b",
    parttype: "5-6",
    partuuid: "3-4",
    start: 2048,
    fstype: "ext4",
    label: "my root",
    uuid: "1-2",
    mountpoints: [],
  });
});

test("what lsblk knows stays", () => {
  const device = { ...NO_UDEV, partuuid: "own", size: 7, ro: true, mountpoints: ["/", null] };
  const probed = new Map([
    ["PART_ENTRY_UUID", "other"],
    ["PTTYPE", "dos"],
  ]);
  expect(completeDevice(device, { sysfs: SYSFS, probed })).toMatchObject({
    partuuid: "own",
    size: 7,
    ro: true,
    pttype: null,
    mountpoints: ["/"],
  });
});

test("a disk has a partition table of its own", () => {
  const probed = new Map([["PTTYPE", "gpt"]]);
  const disk = { name: "vda", path: "/dev/vda", type: "disk" };
  expect(completeDevice(disk, { sysfs: { size: "8", ro: "1" }, probed })).toMatchObject({
    pttype: "gpt",
    partn: null,
    start: null,
    size: 4096,
    ro: true,
  });
});
