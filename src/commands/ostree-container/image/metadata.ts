// `ostree container image metadata`: print the manifest or configuration of a stored image as JSON.
import { formatCanonicalJson } from "../../../format/canonical-json.ts";
import { parseImageReference } from "../../../image/reference.ts";
import { requireStoredImage } from "../../../repository/images.ts";
import type { Context } from "../../../system/context.ts";

export interface ImageMetadataOptions {
  readonly repo: string;
  readonly image: string;
  readonly config?: boolean;
}

export async function imageMetadata(ctx: Context, options: ImageMetadataOptions): Promise<void> {
  const stored = await requireStoredImage(options.repo, parseImageReference(options.image));
  ctx.say(formatCanonicalJson(options.config === true ? stored.config : stored.manifest));
}
