// `bootc internals blockdev`: describe a block device, or the one that a file system is on.
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { readDeviceDocument } from "../../programs/disk/device-document.ts";
import type { Context } from "../../system/context.ts";
import { ifMissing, readFileIfAny } from "../../system/files.ts";
import { findCover, type Mount, readMountsOf } from "../../system/root/mounts.ts";

export async function blockdevLs(ctx: Context, device: string): Promise<void> {
  const found = await stat(device).catch(ifMissing(undefined));
  if (found?.isBlockDevice() !== true) {
    throw new BootcError(`\`${device}\` is not a block device`, {
      kind: "usage",
      hint: "name one such as `/dev/vda`; `bootc internals blockdev ls-filesystem` takes a directory",
    });
  }
  await printDevice(ctx, device);
}

export async function blockdevLsFilesystem(ctx: Context, path: string): Promise<void> {
  const real = await doing(`looking at \`${path}\``, () => realpath(path));
  const mount = findCover(await readMountsOf(ctx, "self"), real);
  const device = mount && (await findDevice(ctx, mount));
  if (device === undefined) {
    const type = mount === undefined ? "" : `, a file system of type ${mount.type}`;
    throw new BootcError(`\`${path}\` is not on a block device${type}`, {
      kind: "unsupported",
      hint: "on a host whose root is composefs or an overlay, name `/sysroot`",
    });
  }
  await printDevice(ctx, device);
}

/** Where the kernel gives a file system no device number of a device, as with btrfs, its source is one. */
async function findDevice(ctx: Context, { device, source }: Mount): Promise<string | undefined> {
  const uevent = await readFileIfAny(join(ctx.root, "sys/dev/block", device, "uevent"));
  const name = /^DEVNAME=(.+)$/m.exec(uevent ?? "")?.[1];
  if (name !== undefined) return `/dev/${name}`;
  const found = source.startsWith("/dev/")
    ? await stat(source).catch(ifMissing(undefined))
    : undefined;
  return found?.isBlockDevice() === true ? source : undefined;
}

async function printDevice(ctx: Context, device: string): Promise<void> {
  ctx.say(JSON.stringify(await readDeviceDocument(ctx, device), null, 2));
}
