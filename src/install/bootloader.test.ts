import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { decideBootloader } from "./bootloader.ts";
import type { Bootloader } from "./plan/choices.ts";
import type { Prepared } from "./prepared.ts";

const BOOTUPD = ["/usr/bin/bootupctl", "/usr/lib/bootupd/updates"];
const GRUB = ["/usr/lib/grub/i386-pc/syslinuxcfg.mod", "/usr/sbin/grub-install"];
const GRUB_EFI = ["/usr/lib/grub/x86_64-efi/syslinuxcfg.mod", "/usr/sbin/grub-install"];
const BOTH = [...GRUB, ...GRUB_EFI];

interface Machine {
  readonly isEfi?: boolean;
  readonly genericImage?: boolean;
}

async function decide(
  files: readonly string[],
  option?: Bootloader,
  { configured, ...machine }: Machine & { readonly configured?: Bootloader | undefined } = {},
) {
  const root = await mkdtemp(join(tmpdir(), "bootloader-"));
  if (machine.isEfi) await mkdir(join(root, "sys/firmware/efi"), { recursive: true });
  const { genericImage } = machine;
  const prepared = {
    options: { bootloader: option, genericImage },
    config: configured === undefined ? undefined : { bootloader: configured },
  } as unknown as Prepared;
  const { ctx } = scriptedContext(root, []);
  return await decideBootloader(ctx, prepared, async (path) => files.includes(path));
}

test.each([
  ["bootupd before GRUB", [...GRUB, ...BOOTUPD], undefined, undefined, "bootupd"],
  ["none although there is one", BOOTUPD, "none", undefined, "none"],
  ["none as configured", BOOTUPD, undefined, "none", "none"],
  ["the command line before the configuration", BOOTUPD, "grub", "none", "bootupd"],
] as const)("%s", async (_about, files, option, configured, want) => {
  expect((await decide(files, option, { configured })).kind).toBe(want);
});

describe.skipIf(process.arch !== "x64")("GRUB of the image where bootupd is missing", () => {
  test.each([
    ["a BIOS", BOTH, {}, ["i386-pc"]],
    ["EFI", BOTH, { isEfi: true }, ["x86_64-efi"]],
    ["any machine's", BOTH, { isEfi: true, genericImage: true }, ["i386-pc", "x86_64-efi"]],
    ["another machine's BIOS", GRUB, { isEfi: true, genericImage: true }, ["i386-pc"]],
    ["another machine's EFI", GRUB_EFI, { genericImage: true }, ["x86_64-efi"]],
  ] as const)("is installed for %s", async (_about, files, machine, platforms) => {
    expect(await decide(files, undefined, machine)).toEqual({
      kind: "plain-grub",
      program: "/usr/sbin/grub-install",
      platforms,
    });
  });

  test.each([
    [undefined, GRUB, true, "this machine starts by EFI, but the image has GRUB only for a BIOS"],
    ["grub", GRUB, true, "this machine starts by EFI, but the image has GRUB only for a BIOS"],
    [
      undefined,
      GRUB_EFI,
      false,
      "this machine starts by a BIOS, but the image has GRUB only for EFI",
    ],
  ] as const)(
    "is refused for the wrong firmware, asked for: %s",
    async (option, files, isEfi, message) => {
      await expect(decide(files, option, { isEfi })).rejects.toMatchObject({
        message,
        kind: "unsupported",
        hint: expect.stringContaining("--bootloader none"),
      });
    },
  );

  test.each([
    ["bootupd", [...GRUB, ...BOOTUPD], undefined, "bootupd"],
    ["no boot loader", GRUB, "none", "none"],
  ] as const)("does not matter with %s", async (_about, files, option, want) => {
    expect((await decide(files, option, { isEfi: true })).kind).toBe(want);
  });
});

test.each([
  ["nothing to install", [], undefined],
  ["the program of bootupd without its files", ["/usr/bin/bootupctl"], "grub"],
  ["grub-cc", BOOTUPD, "grub-cc"],
] as const)("refuses %s", async (_about, files, option) => {
  await expect(decide(files, option)).rejects.toThrow(
    "bootupd is required for ostree-based installs",
  );
});

describe.skipIf(process.arch !== "x64")("systemd-boot", () => {
  const LOADER = ["/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "/usr/bin/bootctl"];
  const DRIVER = "/usr/share/refind/refind/drivers_x64/ext4_x64.efi";
  const COMPLETE = [...LOADER, DRIVER];

  const SIGNED = [`${LOADER[0]}.signed`, "/usr/bin/bootctl", DRIVER];

  test.each([
    ["EFI", COMPLETE, { isEfi: true }],
    ["EFI that asks for a signature", SIGNED, { isEfi: true }],
    ["a disk for another machine", COMPLETE, { genericImage: true }],
  ])("is installed for %s", async (_about, files, machine) => {
    expect(await decide(files, "systemd", machine)).toEqual({
      kind: "systemd-boot",
      program: "/usr/bin/bootctl",
      loader: "systemd-bootx64.efi",
      driver: DRIVER,
    });
  });

  test.each([
    ["bootupd instead", BOOTUPD, "the image has no systemd-boot"],
    ["no driver", LOADER, "the image has no EFI driver with which systemd-boot reads ext4"],
    ["a BIOS", COMPLETE, "this machine starts by a BIOS, but systemd-boot needs EFI"],
  ])("is refused with %s", async (about, files, message) => {
    const isEfi = about !== "a BIOS";
    await expect(decide(files, "systemd", { isEfi })).rejects.toMatchObject({
      message,
      kind: "unsupported",
    });
  });

  test("is never chosen by itself", async () => {
    await expect(decide(COMPLETE, undefined, { isEfi: true })).rejects.toThrow("bootupd");
  });
});
