// Changes ostree's list of deployments by one command. ostree also fails when it cannot clean up after the
// change, or is interrupted then, and a second run could undo the change: the list says whether it is made.
import { BootcError, explainError, toError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { cleanupContext } from "../../system/run.ts";
import { cancelSoftReboot, cleanDeployments } from "./admin.ts";
import { keepLoaderLink } from "./loader-link.ts";

/** What has become of the list; `odd` if it has changed otherwise than was wanted. */
export type ListState = "made" | "unchanged" | "odd";

export interface ListChange {
  /** What `ostree admin` is told. */
  readonly words: readonly string[];
  /** What is the case when the change is made: `the next boot has changed`. */
  readonly outcome: string;
  /** Looks at the list after the change. */
  readonly judge: (ctx: Context) => Promise<ListState>;
  /**
   * What another run would do, for whoever thinks that it helps: `a second rollback would undo the first`.
   * Ends hints, such as "`ostree admin status` shows it; ".
   */
  readonly again: string;
  /** The error when the list is not as wanted, with what ostree itself failed with, if it did. */
  readonly unwanted: (state: Exclude<ListState, "made">, cause: Error | undefined) => BootcError;
}

export interface Changed {
  /** False if the list has changed otherwise than was wanted, and if nobody knows. */
  readonly isMade: boolean;
  /** What failed nevertheless, to be thrown once everybody has been told of the change. */
  readonly failure: BootcError | undefined;
}

/** For a caller who finds the change made already. */
export const MADE_BEFORE: Changed = { isMade: true, failure: undefined };

/**
 * Makes the change, and cancels a prepared soft reboot, which may lead elsewhere. Throws if nothing has
 * changed; every other outcome is for the caller to announce.
 */
export async function changeList(ctx: Context, change: ListChange): Promise<Changed> {
  await keepLoaderLink(ctx);
  const failure = await ctx
    .run("ostree", ["admin", ...change.words], { isQuiet: true })
    .then(() => undefined, toError);
  // Also after Ctrl-C, as everything that follows a change.
  const rest = cleanupContext(ctx);
  const state = await judge(rest, change, failure);
  if (state === "unchanged") throw failure ?? change.unwanted(state, undefined);
  const stuck = await cancelSoftReboot(rest).then(() => undefined, toError);
  if (state !== "made") {
    if (stuck !== undefined) {
      rest.note(`warning: a soft reboot is still prepared; ${RESET}: ${explainError(stuck)}`);
    }
    const isOdd = state === "odd";
    const unwanted = isOdd ? change.unwanted(state, failure) : unknownError(change, failure);
    return { isMade: false, failure: unwanted };
  }
  if (failure !== undefined && stuck === undefined && !ctx.signal.aborted) await cleanAgain(ctx);
  return { isMade: true, failure: stuck && softRebootError(change, stuck) };
}

/** Where the list cannot be read, ostree is believed, unless it has failed. */
async function judge(
  ctx: Context,
  change: ListChange,
  failure: Error | undefined,
): Promise<ListState | "unknown"> {
  try {
    return await change.judge(ctx);
  } catch (error) {
    if (failure !== undefined) {
      ctx.note(`warning: the list of deployments cannot be read: ${explainError(error)}`);
      return "unknown";
    }
    ctx.note(`warning: ${change.outcome}, which cannot be checked: ${explainError(error)}`);
    return "made";
  }
}

function unknownError({ outcome, again }: ListChange, cause: Error | undefined): BootcError {
  return new BootcError(`it is unknown whether ${outcome}`, {
    cause,
    hint: `\`ostree admin status\` shows it; ${again}`,
    isHintUrgent: true,
  });
}

const RESET = "`ostree admin prepare-soft-reboot --reset` cancels it";

/** Without the reset, a reboot would go where the soft reboot was to go, so a warning is not enough. */
function softRebootError({ outcome, again }: ListChange, cause: Error): BootcError {
  return new BootcError(`${outcome}, but a soft reboot is still prepared`, {
    cause,
    hint: `${RESET}; ${again}`,
    isHintUrgent: true,
  });
}

async function cleanAgain(ctx: Context): Promise<void> {
  await cleanDeployments(ctx).catch((error: unknown) => {
    ctx.note(`note: ostree could not clean up: ${explainError(error)}`);
  });
}
