// `ostree container image prune-layers`: removes layers that no image or deployment consists of.
import { pruneLayers } from "../pull/cleanup.ts";
import { withRepositoryLock } from "../pull/lock.ts";
import type { Context } from "../system/context.ts";

export async function imagePruneLayers(
  ctx: Context,
  { repo }: { readonly repo: string },
): Promise<void> {
  const layers = await withRepositoryLock(ctx, repo, {
    options: { purpose: "removing layers" },
    work: () => pruneLayers(ctx, repo),
  });
  ctx.say(`Removed layers: ${layers}`);
}
