// lsblk and wipefs: what is on a block device, and which disks it is on.
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

/** A disk, or a device on it. */
export interface BlockDevice {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  /** The mount points in this mount namespace; `[SWAP]` for swap in use. */
  readonly mountPoints: readonly string[];
  readonly children: readonly BlockDevice[];
}

const COLUMNS = "PATH,TYPE,SIZE,MODEL,SERIAL,MOUNTPOINTS";

export async function readBlockDevice(ctx: Context, path: string): Promise<BlockDevice> {
  return await doing(`looking at \`${path}\``, async () =>
    parseLsblk(await ctx.read("lsblk", ["--json", "--bytes", "--output", COLUMNS, path])),
  );
}

/** Parses the first device of lsblk's JSON. */
export function parseLsblk(text: string): BlockDevice {
  const { blockdevices } = JSON.parse(text) as { blockdevices?: readonly LsblkDevice[] };
  const [device] = blockdevices ?? [];
  if (device === undefined) throw new BootcError("lsblk printed no device");
  return deviceOf(device);
}

interface LsblkDevice {
  readonly path: string;
  readonly type: string;
  readonly size: number | string;
  readonly model: string | null;
  readonly serial: string | null;
  readonly mountpoints: readonly (string | null)[] | null;
  readonly children?: readonly LsblkDevice[];
}

function deviceOf(device: LsblkDevice): BlockDevice {
  return {
    path: device.path,
    type: device.type,
    sizeBytes: Number(device.size),
    model: device.model?.trim() || undefined,
    serial: device.serial?.trim() || undefined,
    mountPoints: (device.mountpoints ?? []).filter((it) => it !== null),
    children: (device.children ?? []).map(deviceOf),
  };
}

/** The signatures that wipefs finds on a device. lsblk knows file systems only where udev runs. */
export async function readSignatures(ctx: Context, path: string): Promise<readonly string[]> {
  const args = ["--json", "--no-act", path];
  const text = await doing(`looking at \`${path}\``, () => ctx.read("wipefs", args));
  return parseSignatures(text);
}

/** Parses wipefs' JSON into phrases such as `ext4 `label``. Without signatures, the text is empty. */
export function parseSignatures(text: string): readonly string[] {
  if (text.trim() === "") return [];
  const { signatures = [] } = JSON.parse(text) as {
    signatures?: readonly { readonly type: string; readonly label: string | null }[];
  };
  const names = signatures.map(({ type, label }) => (label ? `${type} \`${label}\`` : type));
  return [...new Set(names)];
}

/** A device, followed by all devices on it. */
export function flattenDevice(device: BlockDevice): readonly BlockDevice[] {
  return [device, ...device.children.flatMap(flattenDevice)];
}

/** The disk that a device is on; undefined if it is not on exactly one. */
export async function readParentDisk(ctx: Context, path: string): Promise<string | undefined> {
  const disks = await readParentDisks(ctx, path);
  return disks.length === 1 ? disks[0] : undefined;
}

/** The disks that a device is on. */
export async function readParentDisks(ctx: Context, path: string): Promise<readonly string[]> {
  if (!path.startsWith("/dev/")) return [];
  const args = ["--inverse", "--list", "--noheadings", "--output", "PATH,TYPE", path];
  const lines = (await ctx.read("lsblk", args)).trim().split("\n");
  const disks = lines.flatMap((line) => {
    const [device = "", type] = line.trim().split(/\s+/);
    return type === "disk" || type === "loop" ? [device] : [];
  });
  return [...new Set(disks)];
}
