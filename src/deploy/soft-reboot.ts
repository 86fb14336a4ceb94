// Preparing a soft reboot after a change: the next `systemctl reboot` then keeps the kernel.
import { BootcError } from "../errors.ts";
import { assignSlots } from "../host/assemble-host.ts";
import { decideSoftRebootLack } from "../host/soft-reboot.ts";
import { prepareSoftReboot } from "../programs/ostree/admin.ts";
import { softRebootFacts } from "../sysroot/soft-reboot.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

/** `auto` makes it a normal reboot where a soft one is not possible. */
export type SoftRebootMode = "required" | "auto";

type Slot = "staged" | "rollback";

/**
 * Refuses `required` before anything is pulled or changed: where the host has no soft reboots, or where the
 * deployment that exists cannot be reached by one.
 */
export async function requireSoftReboot(
  ctx: Context,
  mode: SoftRebootMode | undefined,
  target: {
    readonly slot: Slot;
    /** It is on the disk already, and not what a pull is to bring. */
    readonly isThere: boolean;
  },
): Promise<void> {
  if (mode !== "required") return;
  const lack = await decideSoftRebootLack(softRebootFacts(ctx));
  if (lack !== undefined) throw notCapable(target.slot, lack);
  if (!target.isThere) return;
  const slots = assignSlots((await readSysroot(ctx)).deployments);
  // A queued rollback is to be taken back, which needs no reboot at all.
  if (target.slot === "rollback" && slots.isRollbackQueued) return;
  const obstacle = slots[target.slot]?.softRebootObstacle;
  if (obstacle !== undefined) throw notCapable(target.slot, obstacle);
}

function notCapable(slot: Slot, obstacle: string): BootcError {
  const text = `Soft reboot was required but ${slot} deployment is not soft-reboot capable`;
  return new BootcError(text, {
    kind: "unsupported",
    cause: new BootcError(obstacle),
    hint: "`--soft-reboot auto` makes do with a normal reboot",
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
