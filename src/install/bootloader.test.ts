import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { type BootloaderSetup, decideBootloader, requirePlace } from "./bootloader.ts";
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
  ])("is refused with %s", async (_about, files, message) => {
    await expect(decide(files, "systemd", { isEfi: true })).rejects.toMatchObject({
      message,
      kind: "unsupported",
    });
  });

  test("is never chosen by itself", async () => {
    await expect(decide(COMPLETE, undefined, { isEfi: true })).rejects.toThrow("bootupd");
  });
});

/** Asks whether a disk, /dev/vda, has a place for the boot loader. The root is /dev/vda3. */
async function askForPlace(setup: BootloaderSetup, disk: Disk): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "place-"));
  await mkdir(join(root, "sys/firmware/efi"), { recursive: true });
  const superblock = Buffer.alloc(2048);
  superblock.writeUInt32LE(disk.features ?? 0, 1024 + 0x60);
  const files = {
    "proc/self/mountinfo": `30 1 254:2 / /target/boot rw - ${disk.bootType ?? "ext4"} /dev/vda2 rw\n`,
    "dev/vda2": superblock,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const partitions = disk.types.map((type, i) => ({ node: `/dev/vda${i + 1}`, type }));
  const looks = [
    [
      "? lsblk --inverse --list --noheadings --output PATH,TYPE /dev/vda3",
      "/dev/vda3 part\n/dev/vda disk\n",
    ],
    ["? sfdisk --json /dev/vda", JSON.stringify({ partitiontable: { partitions } })],
  ] as const;
  const { ctx } = scriptedContext(root, [...looks, ...looks]);
  const target = {
    root: "/target",
    kargs: [],
    boot: undefined,
    device: "/dev/vda3",
    disk: "/dev/vda",
  };
  const prepared = { options: { genericImage: disk.isGeneric } } as unknown as Prepared;
  await requirePlace(ctx, setup, { prepared, target });
}

interface Disk {
  readonly types: readonly string[];
  readonly bootType?: string;
  /** The incompatible features of the ext4 at /boot. */
  readonly features?: number;
  /** Whether the installing machine, which starts by EFI, makes it for another one. */
  readonly isGeneric?: boolean;
}

const ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
const XBOOTLDR_TYPE = "BC13C2FF-59E6-4262-A352-B275FD6F7172";
const LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

describe("the place of systemd-boot", () => {
  const setup = {
    kind: "systemd-boot",
    program: "/usr/bin/bootctl",
    loader: "systemd-bootx64.efi",
    driver: "/ext4_x64.efi",
  } as const;
  const types = [ESP_TYPE, XBOOTLDR_TYPE, LINUX];
  // As mke2fs 1.47 makes it, and as it was before.
  const [seeded, plain] = [0x22c2, 0x2c2];

  test("is an ESP, and a /boot that firmware can read", async () => {
    await askForPlace(setup, { types, features: plain });
  });

  test.each([
    ["no ESP", { types: [LINUX, XBOOTLDR_TYPE, LINUX] }, "has no EFI system partition"],
    [
      "no ESP for another machine",
      { types: [LINUX, XBOOTLDR_TYPE, LINUX], isGeneric: true },
      "needs an EFI system partition",
    ],
    ["a /boot of another type", { types: [ESP_TYPE, LINUX, LINUX] }, "on an XBOOTLDR partition"],
    ["xfs", { types, bootType: "xfs" }, "on an XBOOTLDR partition"],
    ["ext4 as mke2fs makes it by default", { types, features: seeded }, "metadata_csum_seed"],
  ])("is not on a disk with %s", async (_about, disk, message) => {
    await expect(askForPlace(setup, disk)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      kind: "unsupported",
    });
  });
});

describe("the place of the image's GRUB on a disk without an ESP", () => {
  const types = [LINUX, LINUX, LINUX];
  const grub = (platforms: readonly ("i386-pc" | "x86_64-efi")[]): BootloaderSetup => ({
    kind: "plain-grub",
    program: "/usr/sbin/grub-install",
    platforms,
  });

  test("is there for another machine, which may have a BIOS", async () => {
    await askForPlace(grub(["i386-pc", "x86_64-efi"]), { types, isGeneric: true });
  });

  test("is missing if the image starts by EFI alone", async () => {
    await expect(askForPlace(grub(["x86_64-efi"]), { types, isGeneric: true })).rejects.toThrow(
      "GRUB for EFI needs an EFI system partition",
    );
  });
});
