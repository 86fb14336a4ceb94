// File systems of the running system that an installation over its root leaves alone.
import { join } from "node:path";
import type { Context } from "../system/context.ts";
import { readFileIfAny } from "../system/files.ts";
import { type Mount, readMountsOf } from "../system/root/mounts.ts";

/** What a person reads about each of them. */
export async function describeLeftMounts(ctx: Context): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const mount of selectLeft(await readMountsOf(ctx, "self"))) {
    const mapped = join(ctx.root, "sys/dev/block", mount.device, "dm");
    const uuid = (await readFileIfAny(join(mapped, "uuid"))) ?? "";
    const name = (await readFileIfAny(join(mapped, "name")))?.trim();
    lines.push(describeMount(mount, uuid.startsWith("LVM-") ? name : undefined));
  }
  return lines;
}

/** File systems on disks, each place once, without those that the installation takes over. */
export function selectLeft(mounts: readonly Mount[]): readonly Mount[] {
  const root = mounts.findLast((it) => it.path === "/");
  const onDisk = mounts.filter(({ path, source, type, device }) => {
    if (path === "/" || /^\/(boot|run|sys|proc|dev)(\/|$)/.test(path)) return false;
    // Bound from the root; subvolumes of btrfs share its device, and have a life of their own.
    if (device === root?.device && type !== "btrfs") return false;
    return source.startsWith("/dev/") && !["squashfs", "iso9660", "devtmpfs"].includes(type);
  });
  return [...new Map(onDisk.map((it) => [it.path, it])).values()];
}

/** `volume`: the device-mapper name of an LVM volume. */
export function describeMount(mount: Mount, volume: string | undefined): string {
  const { path, source, type, fsRoot } = mount;
  const place = type === "btrfs" && fsRoot !== "/" ? `btrfs subvolume ${fsRoot} of ` : "";
  return `${path} (${place}${volume === undefined ? source : `LVM volume ${volume}`})`;
}
