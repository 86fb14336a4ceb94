// udevadm: waits until udev, here or on our container's host, has processed new devices.
import { join } from "node:path";
import type { Context } from "../../system/context.ts";
import { exists } from "../../system/files.ts";
import { findHostRoot } from "../../system/root/host-root.ts";

const CONTROL = "run/udev/control";

export async function settleDevices(ctx: Context): Promise<void> {
  if (await exists(join(ctx.root, CONTROL))) return await ctx.run("udevadm", ["settle"]);
  const host = await findHostRoot(ctx);
  if (host === undefined || !(await exists(join(host, CONTROL)))) return;
  await ctx.run("nsenter", ["--target=1", "--mount", "--", "udevadm", "settle"]);
}
