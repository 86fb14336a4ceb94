// `ostree container image clear-cached-update`: forget the update that the last check found.
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { parseImageReference } from "../../../image/reference.ts";
import { writeCachedUpdate } from "../../../repository/image-commit.ts";
import { requireStoredImage } from "../../../repository/images.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import type { Context } from "../../../system/context.ts";

export interface ClearCachedUpdateOptions extends LockFlags {
  readonly repo: string;
  readonly image: string;
}

export async function imageClearCachedUpdate(
  ctx: Context,
  options: ClearCachedUpdateOptions,
): Promise<void> {
  const { repo } = options;
  await withRepositoryLock(ctx, repo, {
    options: { purpose: "forgetting an update", timeoutMs: lockTimeoutOf(options) },
    work: async () => {
      const { commit } = await requireStoredImage(repo, parseImageReference(options.image));
      await writeCachedUpdate(ctx, { repo, commit }, undefined);
    },
  });
}
