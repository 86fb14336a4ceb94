// Preparing a soft reboot after a change: the next `systemctl reboot` then keeps the kernel.
import { BootcError } from "../errors.ts";
import type { BootEntry } from "../host/document.ts";
import { prepareSoftReboot } from "../programs/ostree-admin.ts";
import { offersSoftReboot } from "../programs/ostree-soft-reboot.ts";
import type { Context } from "../system/context.ts";
import { readHost } from "./read-host.ts";

/** `auto` makes it a normal reboot where a soft one is not possible. */
export type SoftRebootMode = "required" | "auto";

type Slot = "staged" | "rollback";

/** Refuses `required` where no deployment can be reached so, before anything is pulled or changed. */
export async function requireSoftReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  slot: Slot,
): Promise<void> {
  if (mode !== "required" || (await offersSoftReboot(ctx))) return;
  throw notCapable(slot, {
    hint: "soft reboots need ostree 2025.3 and systemd 254; `auto` makes do with a normal one",
  });
}

function notCapable(slot: Slot, options: { readonly hint?: string } = {}): BootcError {
  const text = `Soft reboot was required but ${slot} deployment is not soft-reboot capable`;
  return new BootcError(text, { kind: "unsupported", ...options });
}

export async function softReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  slot: Slot,
): Promise<void> {
  if (mode === undefined) return;
  const { status } = await readHost(ctx);
  const entry: BootEntry | null = status[slot];
  if (!entry?.softRebootCapable) {
    if (mode === "auto") return;
    throw notCapable(slot);
  }
  const title = slot === "staged" ? "Staged deployment" : "Rollback deployment";
  ctx.say(`${title} is soft-reboot capable, preparing for soft-reboot...`);
  // Both are first in ostree's list by now.
  await prepareSoftReboot(ctx, 0);
}
