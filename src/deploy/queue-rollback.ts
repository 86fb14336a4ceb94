// Queues or reverts a rollback: only the order of deployments changes, and nothing is fetched.
import { BootcError, kindOf } from "../errors.ts";
import { type Deployment, nameDeployment } from "../host/deployment.ts";
import { decideRollback, type RollbackDecision } from "../host/rollback.ts";
import { type Changed, changeList } from "../programs/ostree/change-list.ts";
import { requireOstreeVersion } from "../programs/ostree/version.ts";
import { ROLLBACK_MESSAGE_ID, writeJournal } from "../programs/systemd.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { cleanupContext } from "../system/run.ts";
import { announceChange, requireReboot, tellOfOddList, withdrawReboot } from "./after-change.ts";

/** What another run would do, for hints. */
export const SECOND_ROLLBACK = {
  rollback: "a second rollback would undo the first",
  revert: "a second run would queue the rollback again",
} as const;

export async function queueRollback(ctx: Context): Promise<RollbackDecision["kind"]> {
  const { deployments } = await readSysroot(ctx);
  const decision = decideRollback(deployments);
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
  const { isMade, failure } = await makeNext(ctx, deployments, decision);
  // Also after Ctrl-C, whose advice to run it again would be wrong from here on.
  await (isMade ? tellOfRollback(cleanupContext(ctx), decision) : tellOfOddList(ctx));
  if (failure !== undefined) throw failure;
  return decision.kind;
}

async function tellOfRollback(ctx: Context, { kind, rollback }: RollbackDecision): Promise<void> {
  if (kind === "rollback") {
    ctx.say("Next boot: rollback deployment");
    await requireReboot(ctx, rollback.content?.digest ?? "");
  } else {
    ctx.say("Next boot: current deployment");
    await withdrawReboot(ctx);
  }
  await announceChange(ctx);
}

/** Makes `next` the first of ostree's list. What is staged is lost: ostree drops it before anything else. */
async function makeNext(
  ctx: Context,
  before: readonly Deployment[],
  { kind, index, next }: RollbackDecision,
): Promise<Changed> {
  const name = nameDeployment(next);
  return await changeList(ctx, {
    words: ["set-default", String(index)],
    outcome: "the next boot has changed",
    again: SECOND_ROLLBACK[kind],
    async judge(rest) {
      const { deployments, unreadable } = await readSysroot(rest);
      const [first] = deployments;
      const [odd] = unreadable;
      if (first !== undefined && nameDeployment(first) === name) return "made";
      if (odd !== undefined) throw new BootcError(`the entry \`${odd.name}\`: ${odd.problem}`);
      const isUnchanged = deployments.map(fullName).join() === before.map(fullName).join();
      return isUnchanged ? "unchanged" : "odd";
    },
    unwanted: (_state, cause) =>
      new BootcError(`ostree did not put \`${name}\` first`, {
        kind: cause === undefined ? "integrity" : kindOf(cause),
        cause,
      }),
  });
}

function fullName(deployment: Deployment): string {
  return `${deployment.stateroot}/${nameDeployment(deployment)}`;
}
