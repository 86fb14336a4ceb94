// lsblk: what a block device is made of, and who uses it.
import { BootcError, doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

/** A disk, or something on it. Names as lsblk has them. */
export interface BlockDevice {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  /** Where it is mounted in this mount namespace; `[SWAP]` for swap in use. */
  readonly mountPoints: readonly string[];
  readonly children: readonly BlockDevice[];
}

const COLUMNS = "PATH,TYPE,SIZE,MODEL,SERIAL,MOUNTPOINTS";

export async function readBlockDevice(ctx: Context, path: string): Promise<BlockDevice> {
  return await doing(`looking at \`${path}\``, async () =>
    parseLsblk(await ctx.read("lsblk", ["--json", "--bytes", "--output", COLUMNS, path])),
  );
}

/** The first device of lsblk's JSON. */
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

function deviceOf(it: LsblkDevice): BlockDevice {
  return {
    path: it.path,
    type: it.type,
    sizeBytes: Number(it.size),
    model: it.model?.trim() || undefined,
    serial: it.serial?.trim() || undefined,
    mountPoints: (it.mountpoints ?? []).filter((point) => point !== null),
    children: (it.children ?? []).map(deviceOf),
  };
}

/** What wipefs finds on a device: lsblk knows of file systems only where udev runs. */
export async function readSignatures(ctx: Context, path: string): Promise<readonly string[]> {
  const args = ["--json", "--no-act", path];
  const text = await doing(`looking at \`${path}\``, () => ctx.read("wipefs", args));
  return parseSignatures(text);
}

/** `ext4 `label``, for each signature in wipefs' JSON, which is nothing at all when there is none. */
export function parseSignatures(text: string): readonly string[] {
  if (text.trim() === "") return [];
  const { signatures = [] } = JSON.parse(text) as {
    signatures?: readonly { readonly type: string; readonly label: string | null }[];
  };
  const names = signatures.map(({ type, label }) => (label ? `${type} \`${label}\`` : type));
  return [...new Set(names)];
}

/** A device and everything on it, each once. */
export function flattenDevice(device: BlockDevice): readonly BlockDevice[] {
  return [device, ...device.children.flatMap(flattenDevice)];
}

/** The one disk a device is on; undefined when it is on several, or on none. */
export async function readParentDisk(ctx: Context, path: string): Promise<string | undefined> {
  const disks = await readParentDisks(ctx, path);
  return disks.length === 1 ? disks[0] : undefined;
}

/** The disks a device is on, each once. */
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
