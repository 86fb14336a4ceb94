// `ostree container image reexport`: make a container image of a stored one, layer by layer.
import { type AccessFlags, accessOf } from "../../../cli/options.ts";
import { pushMade } from "../../../export/push.ts";
import { exportStoredImage } from "../../../export/stored-image.ts";
import { parseImageReference } from "../../../image/reference.ts";
import { canonicalizeReference } from "../../../image/registry-name.ts";
import { requireStoredImage } from "../../../repository/images.ts";
import type { Context } from "../../../system/context.ts";

export interface ImageReexportOptions extends AccessFlags {
  readonly repo: string;
  readonly source: string;
  readonly target: string;
  readonly compressionFast?: boolean;
}

export async function imageReexport(ctx: Context, options: ImageReexportOptions): Promise<void> {
  const { repo } = options;
  const source = canonicalizeReference(parseImageReference(options.source));
  const target = parseImageReference(options.target);
  const stored = await requireStoredImage(repo, source);
  const isFast = options.compressionFast === true;
  const access = accessOf(options);
  const digest = await pushMade(ctx, { target, access, isFast }, (layout) =>
    exportStoredImage(layout, repo, stored),
  );
  ctx.say(`Exported: ${digest}`);
}
