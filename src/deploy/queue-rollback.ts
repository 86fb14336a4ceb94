// Queues or reverts a rollback: only the order of deployments changes, and nothing is fetched.
import { BootcError, explainError } from "../errors.ts";
import { nameDeployment } from "../host/deployment.ts";
import { decideRollback, type RollbackDecision } from "../host/rollback.ts";
import {
  cancelSoftReboot,
  cleanDeployments,
  setDefaultDeployment,
} from "../programs/ostree/admin.ts";
import { requireOstreeVersion } from "../programs/ostree/version.ts";
import { ROLLBACK_MESSAGE_ID, writeJournal } from "../programs/systemd.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { cleanupContext } from "../system/run.ts";
import { announceChange, requireReboot, withdrawReboot } from "./after-change.ts";
import { keepLoaderLink } from "./shutdown/keep-loader-link.ts";

export async function queueRollback(ctx: Context): Promise<RollbackDecision["kind"]> {
  const decision = decideRollback((await readSysroot(ctx)).deployments);
  await requireOstreeVersion(ctx, "2023.6", "rollback");
  if (decision.kind === "revert") ctx.say("notice: Reverting queued rollback state");
  await writeJournal(ctx, {
    messageId: ROLLBACK_MESSAGE_ID,
    message:
      decision.kind === "rollback"
        ? "Rolling back to the previous deployment"
        : "Reverting the queued rollback",
    fields: {
      BOOTC_ROLLBACK_TYPE: decision.kind,
      BOOTC_MANIFEST_DIGEST: decision.rollback.content?.digest ?? "",
      BOOTC_OSTREE_COMMIT: decision.rollback.checksum,
      BOOTC_CURRENT_MANIFEST_DIGEST: decision.booted.content?.digest ?? "",
    },
  });
  await keepLoaderLink(ctx);
  const stuck = await makeNext(ctx, decision);
  // Also after Ctrl-C, whose advice to run it again would be wrong from here on.
  const rest = cleanupContext(ctx);
  if (decision.kind === "rollback") {
    rest.say("Next boot: rollback deployment");
    await requireReboot(rest, decision.rollback.content?.digest ?? "");
  } else {
    rest.say("Next boot: current deployment");
    await withdrawReboot(rest);
  }
  await announceChange(rest);
  if (stuck !== undefined) throw stuck;
  return decision.kind;
}

/**
 * ostree also fails when it cannot clean up after the change, or is interrupted then. A second run would
 * change the order back, so a changed order counts as success. Resolves to what is to be thrown once
 * everybody has been told of the change.
 */
async function makeNext(ctx: Context, decision: RollbackDecision): Promise<BootcError | undefined> {
  try {
    await setDefaultDeployment(ctx, decision.index);
  } catch (error) {
    const rest = cleanupContext(ctx);
    if (!(await isNext(rest, decision))) throw error;
    const stuck = await cancelSoftReboot(rest).then(() => undefined, describeSoftReboot);
    if (ctx.signal.aborted || stuck !== undefined) return stuck;
    await cleanDeployments(ctx).catch((again: unknown) => {
      ctx.note(`note: ostree could not clean up: ${explainError(again)}`);
    });
  }
  if (await isNext(ctx, decision)) return undefined;
  throw new BootcError(`ostree did not put \`${nameDeployment(decision.next)}\` first`, {
    kind: "integrity",
  });
}

/** Without the reset, a reboot would go where the soft reboot was to go, so a warning is not enough. */
function describeSoftReboot(cause: unknown): BootcError {
  return new BootcError("the next boot has changed, but a soft reboot is still prepared", {
    cause,
    hint: "`ostree admin prepare-soft-reboot --reset` cancels it; a second rollback would undo the first",
  });
}

async function isNext(ctx: Context, { next }: RollbackDecision): Promise<boolean> {
  const [first] = (await readSysroot(ctx)).deployments;
  return first !== undefined && nameDeployment(first) === nameDeployment(next);
}
