// A reset that was killed must leave nothing to boot: what it has staged lacks this machine's mount of /boot,
// and looks like an image that was downloaded only, which an upgrade to the same image would unlock.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { MADE_BEFORE } from "../programs/ostree/change-list.ts";
import { undeploy } from "../programs/ostree/undeploy.ts";
import { readStagedDeployment } from "../sysroot/staged.ts";
import type { Context } from "../system/context.ts";
import { readFileIfAny, replaceFile } from "../system/files.ts";
import { announceChange, tellOfOddList, withdrawReboot } from "./after-change.ts";
import { unmarkStaging } from "./staging-mark.ts";

/** Names the new stateroot. A reboot removes it, and what is staged as well. */
const MARK = "run/bootc/resetting";

/** To be called before anything is staged. */
export async function markReset(ctx: Context, stateroot: string): Promise<void> {
  await replaceFile(join(ctx.root, MARK), `${stateroot}\n`, { mode: 0o644 });
}

export async function unmarkReset(ctx: Context): Promise<void> {
  await rm(join(ctx.root, MARK), { force: true });
}

/** Ends hints: after it, neither what is staged nor a prepared soft reboot is left. */
const REBOOT = "a full reboot drops it as well";

/** Drops what a reset that was killed has staged. Nobody else may be changing this host. */
export async function dropUnfinishedReset(ctx: Context): Promise<void> {
  const stateroot = (await readFileIfAny(join(ctx.root, MARK)))?.trimEnd();
  if (stateroot === undefined) return;
  try {
    await dropStagedIn(ctx, stateroot);
  } catch (cause) {
    throw new BootcError("dropping what an interrupted `install reset` has staged", {
      cause,
      hint: REBOOT,
    });
  }
  await unmarkReset(ctx);
}

async function dropStagedIn(ctx: Context, stateroot: string): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  // It may have been killed while it dropped that itself.
  if (staged === undefined) return await unmarkStaging(ctx);
  if (staged.isLocked && staged.stateroot === stateroot) {
    ctx.note("Dropping what an interrupted `install reset` has staged");
    await dropStaged(ctx);
  }
}

export async function dropStaged(ctx: Context): Promise<void> {
  const staged = await readStagedDeployment(ctx);
  const { isMade, failure } =
    staged === undefined ? MADE_BEFORE : await undeploy(ctx, staged, REBOOT);
  if (isMade) {
    // The next run must not complete and announce an image that has just been dropped.
    await unmarkStaging(ctx);
    await withdrawReboot(ctx);
    await announceChange(ctx);
  } else await tellOfOddList(ctx);
  if (failure !== undefined) throw failure;
}
