import { expect, test } from "vitest";
import type { Bootloader } from "../host/install-config.ts";
import { decideBootloader } from "./bootloader.ts";
import type { Prepared } from "./prepare.ts";

const BOOTUPD = ["/usr/bin/bootupctl", "/usr/lib/bootupd/updates"];
const GRUB = ["/usr/lib/grub/i386-pc/syslinuxcfg.mod", "/usr/sbin/grub-install"];

function decide(files: readonly string[], option?: Bootloader, configured?: Bootloader) {
  const prepared = {
    options: { bootloader: option },
    config: configured === undefined ? undefined : { bootloader: configured },
  } as unknown as Prepared;
  return decideBootloader(prepared, async (path) => files.includes(path));
}

test.each([
  ["bootupd before GRUB", [...GRUB, ...BOOTUPD], undefined, undefined, "bootupd"],
  ["none although there is one", BOOTUPD, "none", undefined, "none"],
  ["none as configured", BOOTUPD, undefined, "none", "none"],
  ["the command line before the configuration", BOOTUPD, "grub", "none", "bootupd"],
] as const)("%s", async (_about, files, option, configured, want) => {
  expect((await decide(files, option, configured)).kind).toBe(want);
});

test.skipIf(process.arch !== "x64")("GRUB of the image where bootupd is missing", async () => {
  expect((await decide(GRUB)).kind).toBe("plain-grub");
});

test.each([
  ["nothing to install", [], undefined],
  ["the program of bootupd without its files", ["/usr/bin/bootupctl"], "grub"],
  ["systemd-boot", BOOTUPD, "systemd"],
  ["grub-cc", BOOTUPD, "grub-cc"],
] as const)("refuses %s", async (_about, files, option) => {
  await expect(decide(files, option)).rejects.toThrow(
    "bootupd is required for ostree-based installs",
  );
});
