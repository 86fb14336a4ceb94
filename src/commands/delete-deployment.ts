// `bootc delete-deployment`: drop the staged deployment, the rollback, or any other that is not booted.
import { join } from "node:path";
import { type JsonFlags, type LockFlags, lockTimeoutOf } from "../cli/options.ts";
import { announceChange, withdrawReboot } from "../deploy/after-change.ts";
import { cleanAfterChange, cleanHost } from "../deploy/clean-host.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { keepLoaderLink } from "../deploy/shutdown/keep-loader-link.ts";
import { removeSuperseded } from "../deploy/shutdown/superseded.ts";
import type { BootcError } from "../errors.ts";
import { decideDeletion, describeRole } from "../host/delete-deployment.ts";
import { type Deployment, nameDeployment } from "../host/deployment.ts";
import { undeploy } from "../programs/ostree/undeploy.ts";
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
  await withHostLock(quiet, lock, () => deleteAndClean(quiet, name, timeoutMs));
  await answerInJson(ctx, options);
}

async function deleteAndClean(
  ctx: Context,
  name: string,
  lockTimeoutMs: number | undefined,
): Promise<void> {
  const { deployments } = await readSysroot(ctx);
  const deletion = decideDeletion(deployments, name);
  const { deployment } = deletion;
  // Otherwise it would become the rollback when that is deleted.
  await removeSuperseded(ctx);
  const isLeft = (await readSysroot(ctx)).deployments.some((it) => isSame(it, deployment));
  const stuck = isLeft ? await drop(ctx, deployment) : undefined;
  ctx.say(`Deleted deployment: ${nameDeployment(deployment)} (${describeRole(deletion)})`);
  const [next] = (await readSysroot(ctx)).deployments;
  if (next?.isBooted === true) {
    if (deployments[0] !== undefined && !deployments[0].isBooted) {
      ctx.say("Next boot: current deployment");
    }
    await withdrawReboot(ctx);
  }
  await announceChange(ctx);
  if (stuck !== undefined) throw stuck;
  const sysroot = join(ctx.root, "sysroot");
  const request = { sysroot, repo: systemRepo(ctx), lockTimeoutMs };
  const cleaned = await cleanAfterChange(ctx, () => cleanHost(ctx, request));
  if (cleaned !== undefined) ctx.say(cleaned);
}

async function drop(ctx: Context, deployment: Deployment): Promise<BootcError | undefined> {
  await keepLoaderLink(ctx);
  return await undeploy(ctx, {
    stateroot: deployment.stateroot,
    name: nameDeployment(deployment),
  });
}

function isSame(one: Deployment, other: Deployment): boolean {
  return one.stateroot === other.stateroot && nameDeployment(one) === nameDeployment(other);
}
