// Changes ostree's list of deployments by one command. ostree also fails when it cannot clean up after the
// change, or is interrupted then, and a second run could undo the change: the list says whether it is made.
import { BootcError, explainError, toError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { cleanupContext } from "../../system/run.ts";
import { cancelSoftReboot, cleanDeployments } from "./admin.ts";
import { keepLoaderLink } from "./loader-link.ts";

export interface ListChange {
  /** What `ostree admin` is told. */
  readonly words: readonly string[];
  /** What is the case when the change is made: `the next boot has changed`. */
  readonly outcome: string;
  /** Whether it is made, and no other change. */
  readonly isMade: (ctx: Context) => Promise<boolean>;
  /** What another run would do, for whoever thinks that it helps: `a second deletion would not`. */
  readonly again: string;
  /** Thrown when ostree says that it has made the change, and has not. */
  readonly unmade: BootcError;
}

/**
 * Makes the change, and cancels a prepared soft reboot, which may lead elsewhere. Resolves to what failed
 * after the change, which is to be thrown once everybody has been told of it.
 */
export async function changeList(
  ctx: Context,
  change: ListChange,
): Promise<BootcError | undefined> {
  await keepLoaderLink(ctx);
  const failure = await ctx
    .run("ostree", ["admin", ...change.words], { isQuiet: true })
    .then(() => undefined, toError);
  // Also after Ctrl-C, as everything that follows a change.
  const rest = cleanupContext(ctx);
  if (!(await isMade(rest, change, failure))) throw failure ?? change.unmade;
  const stuck = await cancelSoftReboot(rest).then(
    () => undefined,
    (cause: unknown) => softRebootError(change, cause),
  );
  if (failure !== undefined && stuck === undefined && !ctx.signal.aborted) await cleanAgain(ctx);
  return stuck;
}

/** Where the list cannot be read, ostree is believed. */
async function isMade(
  ctx: Context,
  change: ListChange,
  failure: Error | undefined,
): Promise<boolean> {
  try {
    return await change.isMade(ctx);
  } catch (error) {
    if (failure !== undefined) throw failure;
    ctx.note(`warning: ${change.outcome}, which cannot be checked: ${explainError(error)}`);
    return true;
  }
}

/** Without the reset, a reboot would go where the soft reboot was to go, so a warning is not enough. */
function softRebootError({ outcome, again }: ListChange, cause: unknown): BootcError {
  return new BootcError(`${outcome}, but a soft reboot is still prepared`, {
    cause,
    hint: `\`ostree admin prepare-soft-reboot --reset\` cancels it; ${again}`,
    isHintUrgent: true,
  });
}

async function cleanAgain(ctx: Context): Promise<void> {
  await cleanDeployments(ctx).catch((error: unknown) => {
    ctx.note(`note: ostree could not clean up: ${explainError(error)}`);
  });
}
