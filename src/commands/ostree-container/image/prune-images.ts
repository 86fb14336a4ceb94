// `ostree container image prune-images`: remove images that no deployment follows.
import { join } from "node:path";
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { pruneObjects } from "../../../programs/ostree/repo.ts";
import { pruneImages, pruneLayers } from "../../../repository/cleanup.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import type { Context } from "../../../system/context.ts";

export interface ImagePruneImagesOptions extends LockFlags {
  readonly sysroot: string;
  readonly andLayers?: boolean;
  readonly full?: boolean;
}

export async function imagePruneImages(
  ctx: Context,
  options: ImagePruneImagesOptions,
): Promise<void> {
  const { sysroot } = options;
  const repo = join(sysroot, "ostree/repo");
  const lines = await withRepositoryLock(ctx, repo, {
    options: { purpose: "removing images", timeoutMs: lockTimeoutOf(options) },
    work: async () => {
      const images = await pruneImages(ctx, { sysroot, repo });
      const lines = options.full
        ? [`Removed images: ${images.length}`]
        : images.map((it) => `Removed: ${it}`);
      if (options.andLayers || options.full) {
        lines.push(`Removed layers: ${await pruneLayers(ctx, repo)}`);
      }
      if (!options.full) return lines;
      const { objects, size } = await pruneObjects(ctx, repo);
      return [...lines, `Removed objects: ${objects}`, `Freed: ${size}`];
    },
  });
  for (const line of lines) ctx.say(line);
}
