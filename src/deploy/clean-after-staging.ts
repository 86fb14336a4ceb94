// After staging, removes everything that nothing refers to any more.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import { cleanDeployments } from "../programs/ostree/admin.ts";
import { deleteRefs } from "../programs/ostree/repo.ts";
import { systemRepo } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { cleanHost, noteUncleaned } from "./clean-host.ts";
import { unmarkStaging } from "./staging-mark.ts";

export interface CleanRequest {
  /** The branch of a plain ostree installation that nobody follows any more. */
  readonly abandonedRefspec: string | undefined;
  readonly lockTimeoutMs: number | undefined;
  /**
   * The run that staged was killed before it got here. ostree makes its refs last, so they may be missing as
   * well.
   */
  readonly isLate?: boolean;
  /** Whether the file that asks for a reboot is as it should be. If not, the next run tries again. */
  readonly isTold: boolean;
}

/** Returns what a person reads about it, if anything was removed. The deployment is already staged. */
export async function cleanAfterStaging(
  ctx: Context,
  request: CleanRequest,
): Promise<string | undefined> {
  try {
    return await clean(ctx, request);
  } catch (error) {
    if (!ctx.signal.aborted) return noteUncleaned(ctx, error);
    // The interruption advises to run the verb again. It finds the mark in /run/bootc/staging, and cleans up.
    throw new BootcError("cleaning up after staging", { cause: ctx.signal.reason });
  }
}

async function clean(
  ctx: Context,
  { abandonedRefspec, lockTimeoutMs, isLate, isTold }: CleanRequest,
): Promise<string | undefined> {
  const repo = systemRepo(ctx);
  if (isLate === true) await cleanDeployments(ctx);
  // It would keep the commit of a plain ostree deployment.
  if (abandonedRefspec !== undefined) await deleteRefs(ctx, repo, [abandonedRefspec]);
  const sysroot = join(ctx.root, "sysroot");
  const cleaned = await cleanHost(ctx, { sysroot, repo, lockTimeoutMs });
  if (isTold) await unmarkStaging(ctx);
  return cleaned;
}
