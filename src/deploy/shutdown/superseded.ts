// What an update has superseded, and `postponeRemoval` has kept from the shutdown, goes once the update runs.
import { readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { explainError, kindOf } from "../../errors.ts";
import { readTrial } from "../../health/machine/read-trial.ts";
import { assignSlots } from "../../host/assemble-host.ts";
import { type Deployment, identifyDeployment } from "../../host/deployment.ts";
import { isPinnedAsSuperseded, unpinSuperseded } from "../../ostree/origin.ts";
import { isSoftRebootPrepared } from "../../programs/ostree/admin.ts";
import { undeploy } from "../../programs/ostree/undeploy.ts";
import { readOrigins } from "../../sysroot/deployments.ts";
import { deploymentDir } from "../../sysroot/paths.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { readNamesIfAny, replaceFile } from "../../system/files.ts";
import { announceChange, tellOfOddList } from "../after-change.ts";

/**
 * Removes it, or leaves it to a later call as long as the new system is on trial. What boots next or is the
 * rollback after all only loses our pin. A failure is noted. The caller holds the lock of the host.
 */
export async function removeSuperseded(ctx: Context): Promise<void> {
  try {
    if (!(await hasSuperseded(ctx))) return;
    // Going back changes boot entries as well, and finds them by their number.
    if ((await readTrial(ctx)).state !== "none") return;
    if (await isBootCounted(ctx)) return;
    // It may lead to any of them, and removing one would cancel it.
    if (await isSoftRebootPrepared(ctx)) return;
    await removeOrUnpin(ctx);
  } catch (error) {
    // ostree may have changed the list otherwise than was wanted, whether or not somebody interrupted it.
    if (error !== ctx.signal.reason) {
      const sign = kindOf(error) === "integrity" ? "warning" : "note";
      ctx.note(`${sign}: removing a superseded deployment: ${explainError(error)}`);
    }
    ctx.signal.throwIfAborted();
  }
}

/** systemd's own trial: its counter is in the name of an entry, and each deletion writes all entries anew. */
async function isBootCounted({ root }: Context): Promise<boolean> {
  const names = await readNamesIfAny(join(root, "boot/loader/entries"));
  return names.some((it) => /^ostree-.*\+[1-9]\d*(-\d+)?\.conf$/.test(it));
}

/** Whether there is a pin of ours. That costs little: nearly always there is none. */
export async function hasSuperseded({ root }: Context): Promise<boolean> {
  const origins = await readOrigins(join(root, "sysroot"));
  return origins.some(({ text }) => isPinnedAsSuperseded(text));
}

async function removeOrUnpin(ctx: Context): Promise<void> {
  const { deployments } = await readSysroot(ctx);
  const { booted, rollback } = assignSlots(deployments);
  if (booted === undefined) return;
  for (const it of deployments.filter((it) => it.isSuperseded)) {
    if (it === booted || it === rollback) await changeOrigin(ctx, it, unpinSuperseded);
    // A person may have pinned it meanwhile: removing another one takes long.
    else if (isPinnedAsSuperseded(await readFile(originFileOf(ctx, it), "utf8"))) {
      await remove(ctx, it);
    }
  }
}

async function remove(ctx: Context, deployment: Deployment): Promise<void> {
  const place = identifyDeployment(deployment);
  const { isMade, failure } = await undeploy(ctx, place);
  if (isMade) {
    ctx.note(`Deleted deployment: ${place.name} (superseded)`);
    await announceChange(ctx);
  } else await tellOfOddList(ctx);
  if (failure !== undefined) throw failure;
}

/** Changes what ostree knows of a deployment, and has programs such as rpm-ostree's read it anew. */
export async function changeOrigin(
  ctx: Context,
  deployment: Deployment,
  change: (text: string) => string,
): Promise<void> {
  const path = originFileOf(ctx, deployment);
  const before = await readFile(path, "utf8");
  const after = change(before);
  if (after === before) return;
  await replaceFile(path, after, { mode: 0o644 });
  const now = new Date();
  await utimes(join(ctx.root, "sysroot/ostree/deploy"), now, now);
}

function originFileOf(ctx: Context, deployment: Deployment): string {
  return `${deploymentDir(ctx, deployment)}.origin`;
}
