// `bootc internals label-etc`: labels `/etc` at shutdown, so that the deployment that boots next has labels.
import { findEtcMerge, labelFinalizedEtc, labelMergedEtc } from "../../deploy/label-etc.ts";
import { prepareForWrite } from "../../deploy/prepare-write.ts";
import type { Context } from "../../system/context.ts";
import { isSelinuxOn } from "../../system/label.ts";

export interface LabelEtcOptions {
  /** Before ostree merges `/etc`: label what it copies, and not what it has made. */
  readonly beforeMerge?: boolean;
}

export async function labelEtcAtShutdown(
  ctx: Context,
  { beforeMerge }: LabelEtcOptions = {},
): Promise<void> {
  // The kernel labels each new file then.
  if (await isSelinuxOn(ctx)) return;
  if (beforeMerge === true) return await labelBeforeMerge(ctx);
  await prepareForWrite(ctx);
  await labelFinalizedEtc(ctx);
}

async function labelBeforeMerge(ctx: Context): Promise<void> {
  // Most shutdowns merge nothing that needs labels, and should not wait for a second start.
  const merge = await findEtcMerge(ctx);
  if (merge === undefined) return;
  await prepareForWrite(ctx);
  await labelMergedEtc(ctx, merge);
}
