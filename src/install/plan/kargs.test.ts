import { expect, test } from "vitest";
import { decideRootKargs, keepRootKargs, orderKargs } from "./kargs.ts";

const NONE = { root: [], config: [], image: [], deletes: [], user: [] };

test("kernel arguments: root, configuration, image, minus deletions, then the user's", () => {
  expect(
    orderKargs({
      root: ["root=UUID=1", "rw"],
      config: ["console=tty0 quiet"],
      image: ["console=ttyS0", "quiet"],
      deletes: ["console=tty0", "quiet"],
      user: ["quiet", "debug splash"],
    }),
  ).toEqual(["root=UUID=1", "rw", "console=ttyS0", "quiet", "debug", "splash"]);
});

test.each([
  ["a key", ["a"], ["b=1"]],
  ["a key with a value", ["a=1"], ["a=2", "b=1"]],
  ["dash and underscore are the same", ["b_"], ["a=1", "a=2", "b=1"]],
  ["a key that is not there", ["c"], ["a=1", "a=2", "b=1"]],
])("deleting %s", (_about, deletes, want) => {
  expect(orderKargs({ ...NONE, config: ["a=1 a=2 b=1"], deletes })).toEqual(want);
});

const FS = { spec: undefined, inherited: undefined, uuid: "U", type: "ext4" };

test.each([
  ["by uuid", FS, ["root=UUID=U", "rw"]],
  ["as asked for", { ...FS, spec: "LABEL=x" }, ["root=LABEL=x", "rw"]],
  ["not at all", { ...FS, spec: "" }, ["rw"]],
  [
    "as the running system was",
    { ...FS, inherited: ["quiet", "root=/dev/mapper/r", "rootflags=subvol=a", "rd.luks.uuid=1"] },
    ["root=/dev/mapper/r", "rootflags=subvol=a", "rd.luks.uuid=1", "rw"],
  ],
  [
    "in what the running system unlocks as systemd names it",
    { ...FS, inherited: ["root=UUID=R", "luks.uuid=1", "luks.options=tpm2-device=auto"] },
    ["root=UUID=R", "luks.uuid=1", "luks.options=tpm2-device=auto", "rw"],
  ],
  [
    "by uuid in what the running system unlocks",
    { ...FS, inherited: ["quiet", "rd.luks.uuid=1", "luks.name=1=root"] },
    ["root=UUID=U", "rd.luks.uuid=1", "luks.name=1=root", "rw"],
  ],
  [
    "with the flags of the running system, once",
    { ...FS, type: "btrfs", subvolume: "/root", inherited: ["rootflags=subvolid=5"] },
    ["root=UUID=U", "rootflags=subvolid=5", "rw"],
  ],
  [
    "by uuid when the running system does not say",
    { ...FS, inherited: ["quiet"] },
    ["root=UUID=U", "rw"],
  ],
  [
    "a subvolume",
    { ...FS, type: "btrfs", subvolume: "/root" },
    ["root=UUID=U", "rootflags=subvol=/root", "rw"],
  ],
  ["btrfs at its top", { ...FS, type: "btrfs", subvolume: "/" }, ["root=UUID=U", "rw"]],
])("the root is found %s", (_about, source, want) => {
  expect(decideRootKargs(source)).toEqual(want);
});

test("another deployment on the same root needs what finds and unlocks it, and /boot", () => {
  const root = ["root=UUID=R", "rw", "boot=UUID=B", "luks.uuid=1", "rd.lvm.lv=a/b"];
  const slow = ["rootfstype=ext4", "rootwait", "rootwait=10", "rootdelay=5"];
  const remote = ["netroot=iscsi:@a::::b", "ip=dhcp", "nfsroot=a:/b", "vlan=a:b", "BOOTIF=1"];
  const needed = [...root, ...slow, ...remote, "cryptdevice=UUID=1:root", "selinux=0"];
  const others = ["ostree=/ostree/boot.0/a/b/0", "quiet", "console=ttyS0", "rootless", "selinux=1"];
  expect(keepRootKargs([...others, ...needed])).toEqual(needed);
});
