import { expect, test } from "vitest";
import { isOff, kernelArguments, refusesRoot } from "./machine.ts";

const BOOT = {
  ...{ work: "/folder", initramfs: "/folder/initramfs", root: "/dev/disk-1" },
  options: "root=UUID=x ostree=/ostree/boot.1/default/y/0",
};

test("the machine's own root wins over that of the entry, whose deployment it boots", () => {
  const words = kernelArguments(BOOT, "/folder/guest");
  expect(words).toEqual(expect.arrayContaining(["initrd=/folder/initramfs", "ubd0=/dev/disk-1"]));
  expect(words.findLast((it) => it.startsWith("root="))).toBe("root=/dev/ubda");
  expect(words).toContain("ostree=/ostree/boot.1/default/y/0");
  expect(words).toContain("crash-boot=/folder/guest");
  expect(words.join(" ")).not.toContain("ubd1");
});

test("a separate /boot is the second disk, and is mounted", () => {
  const boot = { device: "/dev/disk-2", type: "ext4" };
  expect(kernelArguments({ ...BOOT, boot }, "/folder/guest")).toEqual(
    expect.arrayContaining(["ubd1=/dev/disk-2", "systemd.mount-extra=/dev/ubdb:/boot:ext4"]),
  );
});

test.each([
  ["reboot: System halted", true],
  ["reboot: System halted\nAborted", true],
  ["a line without its end reboot: System halted", true],
  ["reboot: Power down", true],
  ["reboot: Restarting system", false],
  ["Kernel panic - not syncing", false],
  ["Started a unit", false],
])("a machine whose console ends with %j is off: %j", (console, isExpected) => {
  expect(isOff(`before\n${console}\n`)).toBe(isExpected);
});

test("a root that cannot be mounted is known by what mount says", () => {
  const said = "mount: /sysroot: fsconfig() failed: Structure needs cleaning.\n";
  expect(refusesRoot(`EXT4-fs (ubda): error loading journal\n${said}`)).toBe(true);
  expect(refusesRoot("Remounting '/sysroot' read-only")).toBe(false);
});
