// `bootc rollback`: boot the previous deployment next, or take that back.

import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { queueRollback } from "../deploy/queue-rollback.ts";
import { type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { reboot } from "../programs/reboot.ts";
import type { Context } from "../system/context.ts";

export interface RollbackOptions {
  readonly apply?: boolean;
  readonly softReboot?: SoftRebootMode;
}

export async function rollback(ctx: Context, options: RollbackOptions): Promise<void> {
  await prepareForWrite(ctx);
  const kind = await withHostLock(ctx, { purpose: "rolling back" }, () => queueRollback(ctx));
  // Taken back, what boots next is what runs, and a soft reboot to that is none.
  if (kind === "rollback") await softReboot(ctx, options.softReboot, "rollback");
  if (options.apply === true) await reboot(ctx);
}
