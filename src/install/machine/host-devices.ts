// Shows the host's devices in a container that was started with only some of them.
import { doing } from "../../errors.ts";
import { mount } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { readMount } from "../../system/root/mounts.ts";

/**
 * Mounts the host's `/dev`, because the one of a container never shows partitions and loop devices that
 * appear later. A kernel has only one devtmpfs, so a new mount of it shows the host's devices.
 */
export async function showHostDevices(ctx: Context): Promise<void> {
  if ((await readMount(ctx, "/dev"))?.type === "devtmpfs") return;
  await doing("showing this container the devices of the host", () =>
    mount(ctx, { source: "devtmpfs", path: "/dev" }, { type: "devtmpfs" }),
  );
}
