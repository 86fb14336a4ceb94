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
    ["a BIOS", {}],
    ["EFI, and a disk for another machine", { isEfi: true, genericImage: true }],
  ])("is installed with %s", async (_about, machine) => {
    expect((await decide(GRUB, undefined, machine)).kind).toBe("plain-grub");
  });

  test.each([undefined, "grub"] as const)("is refused with EFI, asked for: %s", async (option) => {
    await expect(decide(GRUB, option, { isEfi: true })).rejects.toMatchObject({
      message:
        "this machine starts by EFI, but without bootupd GRUB can only be installed for a BIOS",
      kind: "unsupported",
      hint: expect.stringContaining("--bootloader none"),
    });
  });

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
  ["systemd-boot", BOOTUPD, "systemd"],
  ["grub-cc", BOOTUPD, "grub-cc"],
] as const)("refuses %s", async (_about, files, option) => {
  await expect(decide(files, option)).rejects.toThrow(
    "bootupd is required for ostree-based installs",
  );
});
