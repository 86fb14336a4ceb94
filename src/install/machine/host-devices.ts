// The devices of the host, in a container that was started with a selection of its own.
import { doing } from "../../errors.ts";
import { mount } from "../../programs/disk/mount.ts";
import type { Context } from "../../system/context.ts";
import { readMount } from "../../system/mounts.ts";

/**
 * Has `/dev` be that of the host: one made for a container never shows partitions and loop devices that
 * come later. There is one devtmpfs in a kernel, so mounting it is to see the host's.
 */
export async function showHostDevices(ctx: Context): Promise<void> {
  if ((await readMount(ctx, "/dev"))?.type === "devtmpfs") return;
  await doing("showing this container the devices of the host", () =>
    mount(ctx, { source: "devtmpfs", path: "/dev" }, { type: "devtmpfs" }),
  );
}
