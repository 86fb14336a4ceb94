// `bootc rollback`: boot the previous deployment next, or take that back.

import { answerInJson, type JsonWords, silenceFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { queueRollback } from "../deploy/queue-rollback.ts";
import { requireSoftReboot, type SoftRebootMode, softReboot } from "../deploy/soft-reboot.ts";
import { reboot } from "../programs/reboot.ts";
import { type LockWords, lockTimeoutOf } from "../pull/request.ts";
import type { Context } from "../system/context.ts";

export interface RollbackOptions extends JsonWords, LockWords {
  readonly apply?: boolean;
  readonly softReboot?: SoftRebootMode;
}

export async function rollback(ctx: Context, options: RollbackOptions): Promise<void> {
  await prepareForWrite(ctx);
  await requireSoftReboot(ctx, options.softReboot, { slot: "rollback", isThere: true });
  const talk = silenceFor(ctx, options);
  const lock = { purpose: "rolling back", timeoutMs: lockTimeoutOf(options) };
  const kind = await withHostLock(talk, lock, () => queueRollback(talk));
  // Taken back, what boots next is what runs, and a soft reboot to that is none.
  if (kind === "rollback") await softReboot(talk, options.softReboot, "rollback");
  await answerInJson(ctx, options);
  if (options.apply === true) await reboot(ctx);
}
