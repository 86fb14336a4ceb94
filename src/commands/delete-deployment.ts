// `bootc delete-deployment`: drop the staged deployment, the rollback, or any other that is not booted.
import { join } from "node:path";
import { type JsonFlags, type LockFlags, lockTimeoutOf } from "../cli/options.ts";
import {
  announceChange,
  followUp,
  type MadeChange,
  tellOfOddList,
  withdrawReboot,
} from "../deploy/after-change.ts";
import { cleanHost, noteUncleaned } from "../deploy/clean-host.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { removeSuperseded } from "../deploy/shutdown/superseded.ts";
import { type Deletion, decideDeletion, describeRole } from "../host/delete-deployment.ts";
import {
  type Deployment,
  identifyDeployment,
  isSameDeployment,
  nameDeployment,
} from "../host/deployment.ts";
import { MADE_BEFORE } from "../programs/ostree/change-list.ts";
import { SECOND_DELETION, undeploy } from "../programs/ostree/undeploy.ts";
import { readSysroot, systemRepo } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

export interface DeleteDeploymentOptions extends JsonFlags, LockFlags {}

export async function deleteDeployment(
  ctx: Context,
  name: string,
  options: DeleteDeploymentOptions,
): Promise<void> {
  await prepareForWrite(ctx);
  const quiet = quietFor(ctx, options);
  const timeoutMs = lockTimeoutOf(options);
  const lock = { purpose: "deleting a deployment", timeoutMs };
  const made = await withHostLock(quiet, lock, () => deleteAndClean(quiet, name, timeoutMs));
  await followUp(made, () => answerInJson(ctx, options));
}

/** After the deletion, a clean-up that fails or is interrupted is only noted. */
async function deleteAndClean(
  ctx: Context,
  wanted: string,
  lockTimeoutMs: number | undefined,
): Promise<MadeChange> {
  const { deployments } = await readSysroot(ctx);
  const deletion = decideDeletion(deployments, wanted);
  const place = identifyDeployment(deletion.deployment);
  // Otherwise it would become the rollback when that is deleted.
  await removeSuperseded(ctx);
  const { deployments: present, unreadable } = await readSysroot(ctx);
  const others = present.filter((it) => !isSameDeployment(identifyDeployment(it), place));
  const isLeft = others.length < present.length;
  const { isMade, failure } = isLeft ? await undeploy(ctx, place) : MADE_BEFORE;
  const hasUnreadable = unreadable.length > 0;
  const list = { deployments, others, hasUnreadable };
  await (isMade ? tellOfDeletion(ctx, deletion, list) : tellOfOddList(ctx));
  if (failure !== undefined) throw failure;
  const sysroot = join(ctx.root, "sysroot");
  const request = { sysroot, repo: systemRepo(ctx), lockTimeoutMs };
  const cleaned = await cleanHost(ctx, request).catch((error) => noteUncleaned(ctx, error));
  if (cleaned !== undefined) ctx.say(cleaned);
  return { outcome: `\`${place.name}\` is deleted`, hint: SECOND_DELETION };
}

interface ListAround {
  /** All deployments before. */
  readonly deployments: readonly Deployment[];
  /** Those that are left. */
  readonly others: readonly Deployment[];
  /** What cannot be read may boot next. */
  readonly hasUnreadable: boolean;
}

async function tellOfDeletion(
  ctx: Context,
  deletion: Deletion,
  { deployments, others, hasUnreadable }: ListAround,
): Promise<void> {
  ctx.say(`Deleted deployment: ${nameDeployment(deletion.deployment)} (${describeRole(deletion)})`);
  if (hasUnreadable) return await tellOfOddList(ctx);
  if (others[0]?.isBooted === true) {
    if (deployments[0] !== undefined && !deployments[0].isBooted) {
      ctx.say("Next boot: current deployment");
    }
    await withdrawReboot(ctx);
  }
  await announceChange(ctx);
}
