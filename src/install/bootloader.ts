// Installs a boot loader: with the image's bootupd if it has one, else the image's GRUB, or none.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { detectBootupd, installWithBootupd } from "../programs/boot/bootupctl.ts";
import {
  detectGrub,
  type FoundGrub,
  type GrubPlatform,
  installPlainGrub,
  requireGrubDisk,
} from "../programs/boot/grub-install.ts";
import {
  type FoundSystemdBoot,
  installSystemdBoot,
  requireSystemdBoot,
} from "../programs/boot/systemd-boot.ts";
import { readParentDisks } from "../programs/disk/lsblk.ts";
import { readPartitions } from "../programs/disk/sfdisk.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { readMount } from "../system/root/mounts.ts";
import { type EspSearch, hasEsp, locateEsp, withEsp } from "./disk/esp.ts";
import { hasChecksumSeed } from "./disk/ext4.ts";
import { withChroot } from "./machine/chroot.ts";
import { XBOOTLDR } from "./plan/partition-plan.ts";
import type { Prepared } from "./prepared.ts";
import type { InstallTarget } from "./request.ts";

/** The program that installs the boot loader. */
export type BootloaderSetup =
  | { readonly kind: "bootupd"; readonly program: string }
  | ({ readonly kind: "plain-grub" } & FoundGrub)
  | ({ readonly kind: "systemd-boot" } & FoundSystemdBoot)
  | { readonly kind: "none" };

/** Whether the image has a file at a path. */
type HasFile = (path: string) => Promise<boolean>;

/** Decides by the command line, the configuration, the image's content and this machine's firmware. */
export async function decideBootloader(
  ctx: Context,
  { options, config }: Pick<Prepared, "options" | "config">,
  has: HasFile,
): Promise<BootloaderSetup> {
  const wanted = options.bootloader ?? config?.bootloader;
  if (wanted === "none") return { kind: "none" };
  if (wanted === "systemd") {
    return { kind: "systemd-boot", ...(await requireSystemdBoot(has, process.arch)) };
  }
  const isGrub = wanted === undefined || wanted === "grub";
  const bootupd = isGrub ? await detectBootupd(has) : undefined;
  if (bootupd !== undefined) return { kind: "bootupd", program: bootupd };
  const grub = isGrub ? await detectGrub(has, process.arch) : undefined;
  if (grub !== undefined) {
    const { program, platforms } = grub;
    if (options.genericImage) return { kind: "plain-grub", program, platforms };
    return { kind: "plain-grub", program, platforms: [await requirePlatform(ctx, platforms)] };
  }
  throw new BootcError("bootupd is required for ostree-based installs", {
    kind: "unsupported",
    hint: "add bootupd or GRUB to the image, or install with `--bootloader none`",
  });
}

/** Refuses a boot loader that this machine's firmware cannot start. Needs no image, so it can come first. */
export async function requireFirmware(
  ctx: Context,
  { options, config }: Pick<Prepared, "options" | "config">,
): Promise<void> {
  if ((options.bootloader ?? config?.bootloader) !== "systemd" || options.genericImage) return;
  if (await exists(join(ctx.root, "sys/firmware/efi"))) return;
  throw new BootcError("this machine starts by a BIOS, but systemd-boot needs EFI", {
    kind: "unsupported",
    hint: "install with another `--bootloader`; `--generic-image` installs for another machine",
  });
}

/** The kind of GRUB that the firmware of this machine starts. */
async function requirePlatform(
  ctx: Context,
  platforms: readonly GrubPlatform[],
): Promise<GrubPlatform> {
  const isEfi = await exists(join(ctx.root, "sys/firmware/efi"));
  const wanted = isEfi ? "x86_64-efi" : "i386-pc";
  if (platforms.includes(wanted)) return wanted;
  throw new BootcError(
    isEfi
      ? "this machine starts by EFI, but the image has GRUB only for a BIOS"
      : "this machine starts by a BIOS, but the image has GRUB only for EFI",
    {
      kind: "unsupported",
      hint:
        `add bootupd or GRUB for ${isEfi ? "EFI" : "a BIOS"} to the image, ` +
        "or install with `--bootloader none`; `--generic-image` installs for another machine",
    },
  );
}

export interface BootloaderJob {
  readonly setup: BootloaderSetup;
  readonly prepared: Prepared;
  readonly target: InstallTarget;
  readonly deployment: string;
  /** The image's keys for Secure Boot. */
  readonly secureBootKeys: readonly string[];
}

const NAMES = { bootupd: "grub", "plain-grub": "grub", "systemd-boot": "systemd", none: "none" };

export async function installBootloader(ctx: Context, job: BootloaderJob): Promise<void> {
  const { setup, target } = job;
  ctx.note(`Bootloader: ${NAMES[setup.kind]}`);
  if (setup.kind === "none") return;
  await requireBootEntry(target.root);
  await doing("installing the boot loader", async () => {
    if (setup.kind === "bootupd") await runBootupd(ctx, job, setup.program);
    else if (setup.kind === "plain-grub") await installGrub(ctx, job, setup);
    else await installSystemd(ctx, job, setup);
  });
}

async function runBootupd(
  ctx: Context,
  { prepared, target, deployment }: BootloaderJob,
  program: string,
): Promise<void> {
  const { options, config } = prepared;
  const skipsUuid = options.bootupdSkipBootUuid ?? config?.["skip-boot-uuid"] ?? false;
  await withChroot(ctx, { deployment, root: target.root }, () =>
    installWithBootupd(ctx, deployment, {
      program,
      disk: target.disk,
      isGeneric: options.genericImage ?? false,
      writesUuid: !skipsUuid,
      isVerbose: Boolean(ctx.env.BOOTC_BOOTLOADER_DEBUG),
    }),
  );
}

type PlaceRequest = Pick<BootloaderJob, "prepared" | "target">;

/** Refuses a target where the boot loader would find no place. Changes nothing. */
export async function requirePlace(
  ctx: Context,
  setup: BootloaderSetup,
  request: PlaceRequest,
): Promise<void> {
  if (setup.kind === "systemd-boot") return await requireSystemdPlaces(ctx, request);
  if (setup.kind !== "plain-grub") return;
  const { prepared, target } = request;
  const { platforms } = setup;
  if (platforms.includes("i386-pc")) requireGrubDisk(target.disk);
  if (!platforms.includes("x86_64-efi") || (await hasEsp(ctx, espOf(prepared, target)))) return;
  // A disk for any machine may be one for a BIOS alone.
  if (platforms.includes("i386-pc")) return;
  throw noEsp("GRUB for EFI");
}

function noEsp(what: string): BootcError {
  return new BootcError(`${what} needs an EFI system partition, and the root's disk has none`, {
    kind: "unsupported",
    hint: "make one of 512 MiB, with a FAT file system, or install with `--bootloader none`",
  });
}

/** systemd-boot reads entries only from the ESP, where ostree cannot write them, and from XBOOTLDR. */
async function requireSystemdPlaces(
  ctx: Context,
  { prepared, target }: PlaceRequest,
): Promise<void> {
  if (!(await hasEsp(ctx, espOf(prepared, target)))) throw noEsp("systemd-boot");
  const boot = await readMount(ctx, join(target.root, "boot"));
  const disks = await readParentDisks(ctx, target.device);
  const partitions = (await Promise.all(disks.map((it) => readPartitions(ctx, it)))).flat();
  const partition = partitions.find((it) => it.node === boot?.source);
  if (boot?.type !== "ext4" || partition?.type !== XBOOTLDR) {
    throw new BootcError(
      "systemd-boot needs a separate `/boot` with ext4 on an XBOOTLDR partition",
      {
        kind: "unsupported",
        hint: `make one with the type ${XBOOTLDR} on the root's disk, and mount it at /boot of the root`,
      },
    );
  }
  if (!(await hasChecksumSeed(join(ctx.root, boot.source)))) return;
  throw new BootcError(
    `${boot.source} has the feature metadata_csum_seed, and EFI drivers for ext4 may not read it`,
    { kind: "unsupported", hint: "make it with `mkfs.ext4 -O ^metadata_csum_seed`" },
  );
}

async function installSystemd(
  ctx: Context,
  { prepared, target, deployment, secureBootKeys }: BootloaderJob,
  found: FoundSystemdBoot,
): Promise<void> {
  await withEsp(ctx, espOf(prepared, target), async () => {
    const esp = await locateEsp(ctx, join(target.root, "boot"));
    await withChroot(ctx, { deployment, root: target.root }, () =>
      installSystemdBoot(ctx, deployment, {
        program: found.program,
        loader: found.loader,
        driver: found.driver,
        keys: secureBootKeys,
        physicalRoot: target.root,
        isGeneric: prepared.options.genericImage ?? false,
        esp,
      }),
    );
  });
}

async function installGrub(ctx: Context, job: BootloaderJob, grub: FoundGrub): Promise<void> {
  const { prepared, target, deployment } = job;
  const install = async (platforms: readonly GrubPlatform[]) =>
    await withChroot(ctx, { deployment, root: target.root }, () =>
      installPlainGrub(ctx, deployment, {
        program: grub.program,
        platforms,
        disk: target.disk,
        physicalRoot: target.root,
        isGeneric: prepared.options.genericImage ?? false,
      }),
    );
  const { platforms } = grub;
  if (platforms.includes("x86_64-efi") && (await hasEsp(ctx, espOf(prepared, target)))) {
    await withEsp(ctx, espOf(prepared, target), () => install(platforms));
  } else {
    await install(platforms.filter((it) => it !== "x86_64-efi"));
  }
}

function espOf({ options }: Prepared, { root, device }: InstallTarget): EspSearch {
  const isGeneric = options.genericImage ?? false;
  return { boot: join(root, "boot"), source: device, isNeeded: true, isGeneric };
}

/** Without a boot entry, the machine would look installed but would not start. */
async function requireBootEntry(root: string): Promise<void> {
  const dir = join(root, "boot/loader/entries");
  const names = (await exists(dir)) ? await readdir(dir) : [];
  if (!names.some((it) => it.endsWith(".conf"))) throw new BootcError("ostree wrote no boot entry");
}
