// Preparing a soft reboot after a change: the next `systemctl reboot` then keeps the kernel.
import { BootcError } from "../errors.ts";
import type { BootEntry } from "../host/document.ts";
import { prepareSoftReboot } from "../programs/ostree-admin.ts";
import type { Context } from "../system/context.ts";
import { readHost } from "./read-host.ts";

/** `auto` makes it a normal reboot where a soft one is not possible. */
export type SoftRebootMode = "required" | "auto";

export async function softReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  slot: "staged" | "rollback",
): Promise<void> {
  if (mode === undefined) return;
  const { status } = await readHost(ctx);
  const entry: BootEntry | null = status[slot];
  const name = slot === "staged" ? "staged deployment" : "rollback deployment";
  if (!entry?.softRebootCapable) {
    if (mode === "auto") return;
    throw new BootcError(`Soft reboot was required but ${name} is not soft-reboot capable`, {
      kind: "unsupported",
    });
  }
  const title = slot === "staged" ? "Staged deployment" : "Rollback deployment";
  ctx.say(`${title} is soft-reboot capable, preparing for soft-reboot...`);
  // Both are first in ostree's list by now.
  await prepareSoftReboot(ctx, 0);
}
