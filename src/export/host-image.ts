// An image of this host, pushed so that whatever is built upon it is not read again as a whole.
import { describeError } from "../errors.ts";
import type { StoredImage } from "../repository/images.ts";
import { type NamedLayer, nameLayers } from "../repository/layer-names.ts";
import type { Context } from "../system/context.ts";
import { type Push, pushMade } from "./push.ts";
import { exportStoredImage } from "./stored-image.ts";

export interface HostImage {
  readonly repo: string;
  readonly stored: StoredImage;
}

/** The digest of the image at its target. The caller has made the repository writable. */
export async function pushHostImage(
  ctx: Context,
  push: Push,
  { repo, stored }: HostImage,
): Promise<string> {
  let layers: readonly NamedLayer[] = [];
  const digest = await pushMade(ctx, push, async (layout) => {
    layers = await exportStoredImage(layout, repo, stored);
  });
  try {
    await nameLayers(ctx, repo, { stored, layers });
  } catch (error) {
    ctx.signal.throwIfAborted();
    const { message } = describeError(error);
    ctx.note(`an image built upon this one will be read as a whole: ${message}`);
  }
  return digest;
}
