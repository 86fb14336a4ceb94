// `ostree container image prune-layers`: remove layers that no image or deployment needs.
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { pruneLayers } from "../../../repository/clean/cleanup.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import type { Context } from "../../../system/context.ts";

export interface ImagePruneLayersOptions extends LockFlags {
  readonly repo: string;
}

export async function imagePruneLayers(
  ctx: Context,
  options: ImagePruneLayersOptions,
): Promise<void> {
  const { repo } = options;
  const layers = await withRepositoryLock(ctx, repo, {
    options: { purpose: "removing layers", timeoutMs: lockTimeoutOf(options) },
    work: () => pruneLayers(ctx, repo),
  });
  ctx.say(`Removed layers: ${layers}`);
}
