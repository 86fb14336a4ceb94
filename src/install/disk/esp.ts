// The EFI system partition of a machine that is installed over: found on its disks, mounted meanwhile.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { readParentDisks } from "../../programs/disk/lsblk.ts";
import { mount, unmount } from "../../programs/disk/mount.ts";
import { readPartitions } from "../../programs/disk/sfdisk.ts";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { readMount } from "../../system/mounts.ts";
import { isEspType } from "../plan/partition-plan.ts";

/** Where in `/boot` the ESP is mounted. */
export const ESP_DIRECTORY = "efi";

export interface EspSearch {
  /** The `/boot` that boot loaders will be installed to. */
  readonly boot: string;
  /** What the root file system is on. */
  readonly source: string;
  /** Whether a boot loader is going to look for it. */
  readonly isNeeded: boolean;
}

/** Runs `work` with the ESP mounted at `/boot/efi`, if needed. One that was not mounted is not afterwards. */
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
  await mkdir(place, { recursive: true });
  await doing("mounting the EFI system partition", () => mount(ctx, { source: esp, path: place }));
  try {
    return await work();
  } finally {
    await unmount(ctx, place);
  }
}

const ESP_HINT = "mount the one to be used at /boot/efi of the root, or say `--bootloader none`";

/** The one ESP on the disks of the root; undefined when there is none, as on a machine with a BIOS. */
async function findEsp(ctx: Context, { source }: EspSearch): Promise<string | undefined> {
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
  if (esp === undefined && (await exists(join(ctx.root, "sys/firmware/efi")))) {
    throw new BootcError(
      `this machine starts by EFI, but ${disks.join(", ") || "the root"} has no EFI system partition`,
      { kind: "unsupported", hint: ESP_HINT },
    );
  }
  return esp?.node;
}
