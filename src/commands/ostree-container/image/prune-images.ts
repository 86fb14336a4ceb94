// `ostree container image prune-images`: remove images that no deployment follows.
import { join } from "node:path";
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { pruneObjects } from "../../../programs/ostree/repo.ts";
import { pruneImages, pruneLayers } from "../../../repository/clean/cleanup.ts";
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
      if (!options.andLayers && !options.full) return describeRemoved(images);
      const layers = await pruneLayers(ctx, repo);
      if (!options.full) {
        return [...images.map((it) => `Removed: ${it}`), `Removed layers: ${layers}`];
      }
      const { objects, size } = await pruneObjects(ctx, repo);
      if (images.length + layers + objects === 0) return ["No content was pruned."];
      return [
        `Removed images: ${images.length}`,
        `Removed layers: ${layers}`,
        `Removed objects: ${objects}`,
        `Freed: ${size}`,
      ];
    },
  });
  for (const line of lines) ctx.say(line);
}

function describeRemoved(images: readonly string[]): readonly string[] {
  if (images.length === 0) return ["No unreferenced images."];
  return images.map((it) => `Removed: ${it}`);
}
