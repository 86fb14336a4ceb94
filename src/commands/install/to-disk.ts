// `bootc install to-disk`: partition a disk and install an image to it.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import {
  type DiskLayout,
  requireDevice,
  requireFreeDisk,
  withNewDisk,
} from "../../install/disk/disk.ts";
import { finalizeFilesystems } from "../../install/disk/finalize.ts";
import { installTo } from "../../install/install.ts";
import type { BlockSetup, FilesystemType } from "../../install/plan/choices.ts";
import type { InstallConfig } from "../../install/plan/install-config.ts";
import { parseSizeMiB } from "../../install/plan/partition-plan.ts";
import { prepareInstall } from "../../install/prepare.ts";
import type { Prepared } from "../../install/prepared.ts";
import type { InstallOptions } from "../../install/request.ts";
import { withLoopDevice } from "../../programs/disk/losetup.ts";
import { requireTpm } from "../../programs/disk/luks.ts";
import type { Context } from "../../system/context.ts";

export interface ToDiskOptions extends InstallOptions {
  readonly wipe?: boolean;
  readonly blockSetup?: BlockSetup;
  readonly filesystem?: FilesystemType;
  readonly rootSize?: string;
  readonly viaLoopback?: boolean;
}

export async function installToDisk(
  ctx: Context,
  device: string,
  options: ToDiskOptions,
): Promise<void> {
  const isLoopback = options.viaLoopback ?? false;
  await requireDevice(device, isLoopback);
  const rootSizeMiB = options.rootSize === undefined ? undefined : parseSizeMiB(options.rootSize);
  if (isLoopback && !options.genericImage) {
    ctx.note("warning: --via-loopback implies --generic-image: firmware variables are left alone");
  }
  const prepared = await prepareInstall(ctx, {
    ...options,
    genericImage: options.genericImage || isLoopback,
  });
  const filesystem = decideFilesystem(options, prepared.config);
  const setup = decideBlockSetup(options, prepared.config);
  if (setup === "tpm2-luks") await requireTpm(ctx);
  const isForSystemdBoot = (options.bootloader ?? prepared.config?.bootloader) === "systemd";
  const layout = { setup, filesystem, rootSizeMiB, isForSystemdBoot };
  const job = { prepared, layout, mayWipe: options.wipe ?? false };
  if (isLoopback) await withLoopDevice(ctx, device, (loop) => install(ctx, loop, job));
  else await install(ctx, device, job);
  ctx.note("Installation complete!");
}

interface Job {
  readonly prepared: Prepared;
  readonly layout: DiskLayout;
  readonly mayWipe: boolean;
}

async function install(ctx: Context, device: string, job: Job): Promise<void> {
  const { prepared, layout, mayWipe } = job;
  const disk = await requireFreeDisk(ctx, device, { mayWipe });
  await withNewDisk(ctx, disk, {
    layout,
    async work({ rootDir, rootUuid, unlockKargs, boot }) {
      const isDiscoverable = prepared.config?.["discoverable-partitions"] ?? false;
      ctx.note(` Partitions: ${isDiscoverable ? "Discoverable" : "UUID"}`);
      const kargs = [
        ...unlockKargs,
        ...(isDiscoverable ? ["rw"] : [`root=UUID=${rootUuid}`, "rw"]),
        ...(boot === undefined ? [] : [`boot=${boot.source}`]),
      ];
      await installTo(ctx, prepared, { root: rootDir, kargs, boot, device, disk: device });
      const type = layout.filesystem;
      await finalizeFilesystems(ctx, [
        ...(boot === undefined ? [] : [{ path: join(rootDir, "boot"), type: boot.type }]),
        { path: rootDir, type },
      ]);
    },
  });
}

function decideFilesystem(
  options: ToDiskOptions,
  config: InstallConfig | undefined,
): FilesystemType {
  if (options.filesystem !== undefined) return options.filesystem;
  if (config === undefined) {
    throw new BootcError("No install configuration found, and no filesystem specified", {
      kind: "usage",
      hint: "choose one with `--filesystem`",
    });
  }
  const type = config["root-fs-type"];
  if (type !== undefined) return type;
  throw new BootcError("No root filesystem specified", {
    kind: "usage",
    hint: "choose one with `--filesystem`",
  });
}

/** The command line's choice, or else the image's. A setup that the image does not offer is refused. */
function decideBlockSetup(options: ToDiskOptions, config: InstallConfig | undefined): BlockSetup {
  if (config === undefined) return options.blockSetup ?? "direct";
  const offered = config.block ?? ["direct"];
  const wanted = options.blockSetup ?? offered[0] ?? "direct";
  if (offered.includes(wanted)) return wanted;
  throw new BootcError(`Block setup ${wanted} is not enabled in installation config`, {
    kind: "usage",
    hint: `enabled are ${offered.join(", ")}`,
  });
}
