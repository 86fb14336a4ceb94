// The beginning that all commands on a repository have that pull an image: writable, planned, progress shown.
import type { OstreeReference } from "../../image/reference.ts";
import { type ProgressDisplay, showProgress } from "../../progress/show.ts";
import { type PullPlan, planPull } from "../../pull/plan/plan.ts";
import { type AccessWords, accessOf, limitsOfWords, type PullWords } from "../../pull/request.ts";
import { makeRepositoryWritable } from "../../sysroot/writable.ts";
import type { Context } from "../../system/context.ts";

/** Options of a command line about pulling into a repository. */
export interface RepositoryPullWords extends AccessWords, PullWords {
  readonly quiet?: boolean;
}

export interface PlannedPull {
  readonly plan: PullPlan;
  readonly display: ProgressDisplay;
}

/** Plans what `words` ask for and runs `work` on the plan; the display of progress is gone afterwards. */
export async function withPlannedPull<T>(
  ctx: Context,
  it: {
    readonly repo: string;
    readonly reference: OstreeReference;
    readonly requiresBootable: boolean;
    readonly words: RepositoryPullWords;
  },
  work: (planned: PlannedPull) => Promise<T>,
): Promise<T> {
  const { repo, reference, requiresBootable, words } = it;
  await makeRepositoryWritable(ctx, repo);
  const display = showProgress(ctx, { isQuiet: words.quiet === true });
  try {
    const plan = await planPull(ctx, {
      repo,
      reference,
      access: accessOf(words),
      requiresBootable,
      ...limitsOfWords(words),
      onEvent: display.onEvent,
    });
    return await work({ plan, display });
  } finally {
    display.end();
  }
}
