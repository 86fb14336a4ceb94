// Block devices as documents with lsblk's own keys, complete even where no udev runs.
import { join } from "node:path";
import { doing } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";

/** The keys of a device, in the order in which they are printed. */
const KEYS = [
  ...["name", "path", "type", "maj:min", "size", "ro", "serial", "model", "pttype"],
  ...["partn", "partlabel", "parttype", "partuuid", "start", "fstype", "label", "uuid"],
  "mountpoints",
] as const;

type Key = (typeof KEYS)[number];

export type DeviceDocument = { readonly [key in Key]: unknown } & {
  readonly children: readonly DeviceDocument[] | null;
};

/** What the kernel and the device itself say of it. */
export interface DeviceFacts {
  /** Files of `/sys/dev/block/MAJ:MIN`, by name: `partition`, `start`, `size`, `ro`. */
  readonly sysfs: Readonly<Record<string, string | undefined>>;
  /** The values that `blkid --probe` found. */
  readonly probed: ReadonlyMap<string, string>;
}

export async function readDeviceDocument(ctx: Context, path: string): Promise<DeviceDocument> {
  // Not all versions have all columns, and a column that is unknown would be an error.
  const args = ["--json", "--bytes", "--output-all", path];
  const text = await doing(`looking at \`${path}\``, () => ctx.read("lsblk", args));
  const { blockdevices } = JSON.parse(text) as { blockdevices: readonly Listed[] };
  const [device] = blockdevices;
  if (device === undefined) throw new Error("unreachable: lsblk lists what it is given");
  return await documentDevice(ctx, device);
}

type Listed = { readonly [key in Key]?: unknown } & { readonly children?: readonly Listed[] };

async function documentDevice(ctx: Context, device: Listed): Promise<DeviceDocument> {
  const number = String(device["maj:min"]);
  const sysfs = Object.fromEntries(
    await Promise.all(
      ["partition", "start", "size", "ro"].map(async (name) => {
        const file = join(ctx.root, "sys/dev/block", number, name);
        return [name, (await readFileIfAny(file))?.trim()] as const;
      }),
    ),
  );
  const children: DeviceDocument[] = [];
  for (const it of device.children ?? []) children.push(await documentDevice(ctx, it));
  const probed = await probe(ctx, String(device.path));
  return {
    ...completeDevice(device, { sysfs, probed }),
    children: children.length === 0 ? null : children,
  };
}

/** Fills in what lsblk left out, which it does where udev's database is missing. */
export function completeDevice(
  device: Listed,
  { sysfs, probed }: DeviceFacts,
): Omit<DeviceDocument, "children"> {
  const isPartition = sysfs.partition !== undefined;
  const found: Partial<Record<Key, unknown>> = {
    size: numberOf(sysfs.size, 512),
    ro: sysfs.ro === undefined ? null : sysfs.ro === "1",
    partn: numberOf(sysfs.partition, 1),
    start: numberOf(sysfs.start, 1),
    // On a partition, blkid says which table it belongs to, and what that table says of it.
    pttype: probed.get(isPartition ? "PART_ENTRY_SCHEME" : "PTTYPE"),
    partlabel: probed.get("PART_ENTRY_NAME"),
    parttype: probed.get("PART_ENTRY_TYPE"),
    partuuid: probed.get("PART_ENTRY_UUID"),
    fstype: probed.get("TYPE"),
    label: probed.get("LABEL"),
    uuid: probed.get("UUID"),
  };
  const { mountpoints } = device;
  const mounted = Array.isArray(mountpoints) ? mountpoints.filter((it) => it !== null) : [];
  const values = KEYS.map((key) => [key, device[key] ?? found[key] ?? null]);
  return { ...Object.fromEntries(values), mountpoints: mounted };
}

function numberOf(text: string | undefined, unit: number): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) * unit : null;
}

/** Statuses of blkid: nothing was found, and what was found is ambiguous. */
const NOTHING = [2, 8];

/** The values on the device itself; none for a user who may not read it. */
async function probe(ctx: Context, path: string): Promise<ReadonlyMap<string, string>> {
  const args = ["--probe", "--output", "export", path];
  return parseProbe(await ctx.read("blkid", args, { okStatuses: [0, ...NOTHING] }));
}

/** Parses lines `KEY=value`, in which blkid escapes characters for a shell. */
export function parseProbe(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, key = "", value = ""]) => [
      key,
      value.replaceAll(/\\(.)/g, "$1"),
    ]),
  );
}
