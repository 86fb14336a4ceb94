// `ostree container image remove`: remove images, and the layers that only they need.
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { formatImageReference, parseImageReference } from "../../../image/reference.ts";
import { pruneLayers, removeImages } from "../../../repository/clean/cleanup.ts";
import { listStoredImages, noImage } from "../../../repository/images.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import type { Context } from "../../../system/context.ts";

export interface ImageRemoveOptions extends LockFlags {
  readonly repo: string;
  readonly images: readonly string[];
  readonly skipGc?: boolean;
}

export async function imageRemove(ctx: Context, options: ImageRemoveOptions): Promise<void> {
  const { repo } = options;
  const names = options.images.map((it) => formatImageReference(parseImageReference(it)));
  const work = async () => {
    const stored = new Set(await listStoredImages(repo));
    const missing = names.filter((it) => !stored.has(it));
    if (missing.length > 0) throw noImage(repo, missing);
    await removeImages(ctx, repo, names);
    return options.skipGc === true ? undefined : await pruneLayers(ctx, repo);
  };
  const layers = await withRepositoryLock(ctx, repo, {
    options: { purpose: "removing images", timeoutMs: lockTimeoutOf(options) },
    work,
  });
  const also = layers === undefined ? "" : ` layers: ${layers}`;
  ctx.say(`Removed images: ${names.length}${also}`);
}
