// Preparing a soft reboot after a change: the next `systemctl reboot` then keeps the kernel.
import { BootcError } from "../errors.ts";
import { assignSlots } from "../host/assemble-host.ts";
import { decideSoftRebootLack } from "../host/soft-reboot.ts";
import { prepareSoftReboot } from "../programs/ostree/admin.ts";
import { softRebootFacts } from "../sysroot/soft-reboot.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

/** `auto` falls back to a normal reboot. */
export type SoftRebootMode = "required" | "auto";

type Slot = "staged" | "rollback";

/**
 * Refuses `required` before anything is pulled or changed: if the host does not have soft reboots, or if one
 * cannot reach the existing deployment.
 */
export async function requireSoftReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  target: {
    readonly slot: Slot;
    /** It is on the disk already; otherwise a pull brings it. */
    readonly isThere: boolean;
  },
): Promise<void> {
  if (mode !== "required") return;
  const lack = await decideSoftRebootLack(softRebootFacts(ctx));
  if (lack !== undefined) throw notCapable(target.slot, lack);
  if (!target.isThere) return;
  const slots = assignSlots((await readSysroot(ctx)).deployments);
  // Reverting a queued rollback needs no reboot at all.
  if (target.slot === "rollback" && slots.isRollbackQueued) return;
  const obstacle = slots[target.slot]?.softRebootObstacle;
  if (obstacle !== undefined) throw notCapable(target.slot, obstacle);
}

function notCapable(slot: Slot, obstacle: string): BootcError {
  const text = `Soft reboot was required but ${slot} deployment is not soft-reboot capable`;
  return new BootcError(text, {
    kind: "unsupported",
    cause: new BootcError(obstacle),
    hint: "`--soft-reboot auto` falls back to a normal reboot",
  });
}

export async function softReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  slot: Slot,
): Promise<void> {
  if (mode === undefined) return;
  const target = assignSlots((await readSysroot(ctx)).deployments)[slot];
  const obstacle = target === undefined ? "it cannot be read" : target.softRebootObstacle;
  if (obstacle !== undefined) {
    if (mode === "auto") return;
    throw notCapable(slot, obstacle);
  }
  const title = slot === "staged" ? "Staged" : "Rollback";
  ctx.say(`${title} deployment is soft-reboot capable, preparing for soft-reboot...`);
  // Both are first in ostree's list by now.
  await prepareSoftReboot(ctx, 0);
}
