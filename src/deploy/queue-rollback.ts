// Queues or reverts a rollback: only the order of deployments changes, and nothing is fetched.
import { BootcError } from "../errors.ts";
import { nameDeployment } from "../host/deployment.ts";
import { decideRollback, type RollbackDecision } from "../host/rollback.ts";
import { changeList } from "../programs/ostree/change-list.ts";
import { requireOstreeVersion } from "../programs/ostree/version.ts";
import { ROLLBACK_MESSAGE_ID, writeJournal } from "../programs/systemd.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { cleanupContext } from "../system/run.ts";
import { announceChange, requireReboot, withdrawReboot } from "./after-change.ts";

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

/** Drops the staged deployment. */
async function makeNext(
  ctx: Context,
  { kind, index, next }: RollbackDecision,
): Promise<BootcError | undefined> {
  const name = nameDeployment(next);
  return await changeList(ctx, {
    words: ["set-default", String(index)],
    outcome: "the next boot has changed",
    again:
      kind === "rollback"
        ? "a second rollback would undo the first"
        : "a second run would queue the rollback again",
    async isMade(rest) {
      const { deployments, unreadable } = await readSysroot(rest);
      const [first] = deployments;
      const [odd] = unreadable;
      if (first !== undefined && nameDeployment(first) === name) return true;
      if (odd === undefined) return false;
      throw new BootcError(`the entry \`${odd.name}\`: ${odd.problem}`);
    },
    unmade: new BootcError(`ostree did not put \`${name}\` first`, { kind: "integrity" }),
  });
}
