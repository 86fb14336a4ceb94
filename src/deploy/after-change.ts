// Announces that the next boot has changed: to units, tools that reboot, users without rights.
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, describeError, explainError } from "../errors.ts";
import { publishBootEntries } from "../sysroot/publish-boot-entries.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { makeDirectories, readFileIfAny, replaceFile } from "../system/files.ts";
import { cleanupContext } from "../system/run.ts";

const REBOOT_REQUIRED = "run/reboot-required";
const REBOOT_MARK = "bootc: Reboot required for image: ";

/**
 * The change is made by now, and a second run could take it back or find nothing to do. What fails from here
 * on is therefore only warned about, and the caller hears of it.
 */
async function tryTo(ctx: Context, warning: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    ctx.note(`warning: ${warning}: ${explainError(error)}`);
    return false;
  }
}

/** A change that another run of the verb would not repeat, but undo or extend. */
export interface MadeChange {
  /** What is the case now: `the next boot has changed`. */
  readonly outcome: string;
  /** What the user can do, and what another run would do. */
  readonly hint: string;
}

/** Does what follows such a change. Whatever fails, and Ctrl-C as well, must not ask for another run. */
export async function followUp(
  { outcome, hint }: MadeChange,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new BootcError(`${outcome}, but what follows has failed`, {
      cause,
      hint,
      isHintUrgent: true,
    });
  }
}

/** Changes the time of a directory that `bootc-status-updated.path` watches. */
export async function announceChange(ctx: Context): Promise<void> {
  await tryTo(
    ctx,
    "units that watch for changes of the next boot do not see this one",
    async () => {
      const dir = join(ctx.root, "sysroot/ostree/bootc");
      await makeDirectories(dir);
      const now = new Date();
      await utimes(dir, now, now);
    },
  );
  try {
    await publishBootEntries(ctx);
  } catch (error) {
    ctx.note(`note: no copy of the boot entries for users: ${describeError(error).message}`);
  }
}

/** Tells tools like kured, which look at this file, that a reboot brings `digest`. False if that failed. */
export async function requireReboot(ctx: Context, digest: string): Promise<boolean> {
  const text = `${REBOOT_MARK}${digest}\n`;
  return await tryTo(ctx, `\`/${REBOOT_REQUIRED}\` does not ask for a reboot`, () =>
    replaceFile(join(ctx.root, REBOOT_REQUIRED), text, { mode: 0o644 }),
  );
}

export interface Staged {
  readonly digest: string | undefined;
  /** The shutdown does not apply it. */
  readonly isLocked: boolean;
}

/** Tells everybody what is staged now. False if the file for tools such as kured is not as it should be. */
export async function tellOfStaged(ctx: Context, { digest, isLocked }: Staged): Promise<boolean> {
  const isTold = isLocked
    ? await withdrawReboot(ctx)
    : digest === undefined || (await requireReboot(ctx, digest));
  await announceChange(ctx);
  return isTold;
}

/** Withdraws that if it is ours: a package manager may have its own reasons. False if that failed. */
export async function withdrawReboot(ctx: Context): Promise<boolean> {
  const path = join(ctx.root, REBOOT_REQUIRED);
  return await tryTo(ctx, `\`/${REBOOT_REQUIRED}\` may still ask for a reboot`, async () => {
    if ((await readFileIfAny(path))?.startsWith(REBOOT_MARK)) await rm(path, { force: true });
  });
}

/** Tells everybody of a list that may have changed otherwise than was wanted, even after Ctrl-C. */
export async function tellOfOddList(ctx: Context): Promise<void> {
  const rest = cleanupContext(ctx);
  await tryTo(rest, `\`/${REBOOT_REQUIRED}\` may be wrong`, async () => {
    const { deployments, unreadable } = await readSysroot(rest);
    const [odd] = unreadable;
    if (odd !== undefined) throw new BootcError(`the entry \`${odd.name}\`: ${odd.problem}`);
    if (deployments[0]?.isBooted === true) await withdrawReboot(rest);
  });
  await announceChange(rest);
}
