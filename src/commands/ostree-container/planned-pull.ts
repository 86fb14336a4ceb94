// The start of every pull into a repository: make it writable, show progress, plan the pull.
import { type ProgressDisplay, showProgress } from "../../progress/show.ts";
import { type PullPlan, planPull } from "../../pull/plan/plan.ts";
import type { PullRequest } from "../../pull/request.ts";
import { makeRepositoryWritable } from "../../sysroot/writable.ts";
import type { Context } from "../../system/context.ts";

export interface PlannedPullRequest extends Omit<PullRequest, "onEvent" | "policyCommit"> {
  /** Whether to show no progress. */
  readonly isQuiet: boolean;
}

export interface PlannedPull {
  readonly plan: PullPlan;
  readonly display: ProgressDisplay;
}

/** Plans the pull and runs `work` on the plan. Ends the progress display afterwards. */
export async function withPlannedPull<T>(
  ctx: Context,
  { isQuiet, ...request }: PlannedPullRequest,
  work: (planned: PlannedPull) => Promise<T>,
): Promise<T> {
  await makeRepositoryWritable(ctx, request.repo);
  const display = showProgress(ctx, { isQuiet });
  try {
    const plan = await planPull(ctx, request);
    return await work({ plan, display });
  } finally {
    display.end();
  }
}
