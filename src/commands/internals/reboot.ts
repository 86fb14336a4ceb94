// `bootc internals reboot`: reboot this machine.
import { reboot } from "../../programs/systemd.ts";
import type { Context } from "../../system/context.ts";

export async function internalsReboot(ctx: Context): Promise<void> {
  await reboot(ctx);
}
