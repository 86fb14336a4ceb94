// `bootc rollback`: boot the previous deployment next, or cancel that.
import { type JsonFlags, type LockFlags, lockTimeoutOf } from "../cli/options.ts";
import { followUp } from "../deploy/after-change.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { queueRollback, SECOND_ROLLBACK } from "../deploy/queue-rollback.ts";
import { requireSoftReboot, type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { reboot } from "../programs/systemd.ts";
import type { Context } from "../system/context.ts";

export interface RollbackOptions extends JsonFlags, LockFlags {
  readonly apply?: boolean;
  readonly softReboot?: SoftRebootMode;
}

export async function rollback(ctx: Context, options: RollbackOptions): Promise<void> {
  await prepareForWrite(ctx);
  await requireSoftReboot(ctx, options.softReboot, { slot: "rollback", isThere: true });
  const quiet = quietFor(ctx, options);
  const lock = { purpose: "rolling back", timeoutMs: lockTimeoutOf(options) };
  const kind = await withHostLock(quiet, lock, () => queueRollback(quiet));
  const hint = `\`systemctl reboot\` starts what boots next; ${SECOND_ROLLBACK[kind]}`;
  await followUp({ outcome: "the next boot has changed", hint }, async () => {
    // After a revert the running deployment boots next: there is nothing to soft-reboot into.
    if (kind === "rollback") await softReboot(quiet, options.softReboot, "rollback");
    await answerInJson(ctx, options);
    if (options.apply === true) await reboot(ctx);
  });
}
