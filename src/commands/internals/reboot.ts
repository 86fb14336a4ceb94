// `bootc internals reboot`: the same reboot as that of `--apply`.
import { reboot } from "../../programs/reboot.ts";
import type { Context } from "../../system/context.ts";

export async function rebootNow(ctx: Context): Promise<void> {
  await reboot(ctx);
}
