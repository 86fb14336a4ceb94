// `ostree container image history`: show what created each layer of a stored image.
import { formatDecimalSize } from "../../../format/size.ts";
import type { ImageConfig } from "../../../image/config.ts";
import { hexOf } from "../../../image/digest.ts";
import type { ImageManifest } from "../../../image/manifest.ts";
import { parseImageReference } from "../../../image/reference.ts";
import { requireStoredImage } from "../../../repository/images.ts";
import type { Context } from "../../../system/context.ts";

export interface ImageHistoryOptions {
  readonly repo: string;
  readonly image: string;
}

export async function imageHistory(ctx: Context, options: ImageHistoryOptions): Promise<void> {
  const image = parseImageReference(options.image);
  const { manifest, config } = await requireStoredImage(options.repo, image);
  for (const line of describeHistory(manifest, config)) ctx.say(line);
}

/** As many digits as bootc 1.x prints. */
const ID_LENGTH = 20;

/** A table of layers, from the base upwards. Entries of the history without a layer are left out. */
export function describeHistory(manifest: ImageManifest, config: ImageConfig): readonly string[] {
  const steps = (config.history ?? []).filter((it) => it.empty_layer !== true);
  const rows = manifest.layers.map(({ digest, size }, i) => [
    hexOf(digest).slice(0, ID_LENGTH),
    formatDecimalSize(size),
    oneLine(steps[i]?.created_by ?? ""),
  ]);
  return [["ID", "SIZE", "CREATED BY"], ...rows].map(([id = "", size = "", by = ""]) =>
    `${id.padEnd(ID_LENGTH)}  ${size.padStart(10)}  ${by}`.trimEnd(),
  );
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
