// `ostree container image clear-cached-update`: forgets the update that the last check saw.
import { parseImageReference } from "../image/reference.ts";
import { writeCachedUpdate } from "../pull/commit.ts";
import { requireStoredImage } from "../pull/stored.ts";
import type { Context } from "../system/context.ts";

export interface ClearCachedUpdateOptions {
  readonly repo: string;
  readonly image: string;
}

export async function imageClearCachedUpdate(
  ctx: Context,
  { repo, image }: ClearCachedUpdateOptions,
): Promise<void> {
  const { commit } = await requireStoredImage(repo, parseImageReference(image));
  await writeCachedUpdate(ctx, { repo, commit }, undefined);
}
