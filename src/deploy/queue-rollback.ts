// Queues or reverts a rollback: only the order of deployments changes, and nothing is fetched.
import { BootcError, kindOf } from "../errors.ts";
import { identifyDeployment, isSameDeployment, type NamedDeployment } from "../host/deployment.ts";
import { decideRollback, type RollbackDecision } from "../host/rollback.ts";
import { type Changed, changeList } from "../programs/ostree/change-list.ts";
import { readDeploymentOrder, requireIndex } from "../programs/ostree/deployment-order.ts";
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
  const { isMade, failure } = await makeNext(ctx, decision);
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
async function makeNext(ctx: Context, { kind, next }: RollbackDecision): Promise<Changed> {
  const wanted = identifyDeployment(next);
  const before = await readDeploymentOrder(ctx);
  return await changeList(ctx, {
    words: ["set-default", String(requireIndex(before, wanted))],
    outcome: "the next boot has changed",
    again: SECOND_ROLLBACK[kind],
    async judge(rest) {
      const after = await readDeploymentOrder(rest);
      const [first] = after;
      if (first !== undefined && isSameDeployment(first, wanted)) return "made";
      return formatOrder(before) === formatOrder(after) ? "unchanged" : "odd";
    },
    unwanted: (_state, cause) =>
      new BootcError(`ostree did not put \`${wanted.name}\` first`, {
        kind: cause === undefined ? "integrity" : kindOf(cause),
        cause,
      }),
  });
}

/** For comparing two lists. */
function formatOrder(order: readonly NamedDeployment[]): string {
  return order.map((it) => `${it.stateroot}/${it.name}`).join();
}
