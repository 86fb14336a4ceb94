// Finds and mounts the EFI system partition of a machine that is installed over.
import { basename, join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { readParentDisk, readParentDisks } from "../../programs/disk/lsblk.ts";
import { mount, unmount } from "../../programs/disk/mount.ts";
import { readPartitions } from "../../programs/disk/sfdisk.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories, readFileIfAny } from "../../system/files.ts";
import { readMount } from "../../system/root/mounts.ts";
import { isEspType } from "../plan/partition-plan.ts";

/** The mount point of the ESP in `/boot`. */
export const ESP_DIRECTORY = "efi";

export interface EspSearch {
  /** The `/boot` to which boot loaders will be installed. */
  readonly boot: string;
  /** The device of the root file system. */
  readonly source: string;
  /** Whether a boot loader will look for the ESP. */
  readonly isNeeded: boolean;
  /** Whether another machine will boot the disk; the firmware of this one then does not matter. */
  readonly isGeneric: boolean;
}

/** Runs `work` with the ESP mounted at `/boot/efi`, if needed. Afterwards, mounts are as before. */
export async function withEsp<T>(
  ctx: Context,
  search: EspSearch,
  work: () => Promise<T>,
): Promise<T> {
  const place = join(search.boot, ESP_DIRECTORY);
  if (!search.isNeeded || (await readMount(ctx, place)) !== undefined) return await work();
  const esp = await findEsp(ctx, search);
  if (esp === undefined) return await work();
  ctx.note(`EFI system partition: ${esp}`);
  await makeDirectories(place);
  await doing("mounting the EFI system partition", () => mount(ctx, { source: esp, path: place }));
  try {
    return await work();
  } finally {
    await unmount(ctx, place);
  }
}

/** Whether there is an ESP to mount, or one is mounted. Refuses several. Changes nothing. */
export async function hasEsp(ctx: Context, search: EspSearch): Promise<boolean> {
  if ((await readMount(ctx, join(search.boot, ESP_DIRECTORY))) !== undefined) return true;
  return (await findEsp(ctx, search)) !== undefined;
}

/** A partition as firmware names it. */
export interface PartitionPlace {
  readonly disk: string;
  readonly number: number;
}

/** The partition that is mounted at `/boot/efi`; undefined if it is not on exactly one disk. */
export async function locateEsp(ctx: Context, boot: string): Promise<PartitionPlace | undefined> {
  const device = (await readMount(ctx, join(boot, ESP_DIRECTORY)))?.source;
  if (device === undefined) return undefined;
  const disk = await readParentDisk(ctx, device);
  const file = join(ctx.root, "sys/class/block", basename(device), "partition");
  const number = Number(await readFileIfAny(file));
  return disk === undefined || !(number > 0) ? undefined : { disk, number };
}

const ESP_HINT = "mount the right one at /boot/efi of the root, or give `--bootloader none`";

/** The ESP on the root's disks; undefined if there is none, as on a machine with a BIOS. */
async function findEsp(
  ctx: Context,
  { source, isGeneric }: EspSearch,
): Promise<string | undefined> {
  const disks = await readParentDisks(ctx, source);
  const partitions = await Promise.all(disks.map((it) => readPartitions(ctx, it)));
  const found = partitions.flat().filter((it) => isEspType(it.type));
  const [esp] = found;
  if (found.length > 1) {
    throw new BootcError(
      `there are several EFI system partitions: ${found.map((it) => it.node).join(", ")}`,
      { kind: "unsupported", hint: ESP_HINT },
    );
  }
  if (esp === undefined && !isGeneric && (await exists(join(ctx.root, "sys/firmware/efi")))) {
    throw new BootcError(
      `this machine starts by EFI, but ${disks.join(", ") || "the root"} has no EFI system partition`,
      { kind: "unsupported", hint: ESP_HINT },
    );
  }
  return esp?.node;
}
