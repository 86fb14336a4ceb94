import { expect, test } from "vitest";
import { parseMountinfo } from "../system/root/mounts.ts";
import { describeMount, selectLeft } from "./left-mounts.ts";

const MOUNTS = parseMountinfo(`20 1 0:30 /root / rw - btrfs /dev/vda3 rw
21 20 0:30 /home /home rw - btrfs /dev/vda3 rw
22 20 8:2 / /boot rw - ext4 /dev/vda2 rw
23 22 8:1 / /boot/efi rw - vfat /dev/vda1 rw
24 20 254:2 / /srv rw - xfs /dev/mapper/vg-srv rw
25 20 0:5 / /dev rw - devtmpfs devtmpfs rw
26 20 0:40 / /tmp rw - tmpfs tmpfs rw
27 20 7:1 / /snap/x ro - squashfs /dev/loop1 ro
28 20 8:17 / /data\\040of\\040mine rw - ext4 /dev/vdb1 rw
29 20 8:18 / /boots rw - ext4 /dev/vdb2 rw
`);

test("file systems on disks are left, but for the root and /boot", () => {
  expect(selectLeft(MOUNTS).map((it) => describeMount(it, undefined))).toEqual([
    "/home (btrfs subvolume /home of /dev/vda3)",
    "/srv (/dev/mapper/vg-srv)",
    "/data of mine (/dev/vdb1)",
    "/boots (/dev/vdb2)",
  ]);
});

test("a volume of LVM is named as such", () => {
  const [, srv] = selectLeft(MOUNTS);
  expect(srv && describeMount(srv, "vg-srv")).toBe("/srv (LVM volume vg-srv)");
});

test("what is bound from the root is the root", () => {
  const bound = parseMountinfo(`20 1 8:3 / / rw - ext4 /dev/vda3 rw
21 20 8:3 /var /var rw - ext4 /dev/vda3 rw
`);
  expect(selectLeft(bound)).toEqual([]);
});
