// An image made by us, pushed: written into a layout of its own for as long as that takes.
import { doing } from "../errors.ts";
import { formatImageReference, type ImageReference } from "../image/reference.ts";
import { deliverLayout } from "../programs/skopeo/deliver.ts";
import type { RegistryAccess } from "../programs/skopeo/skopeo.ts";
import type { Context } from "../system/context.ts";
import { withWorkDirectory } from "../system/work-directory.ts";
import type { LayerCompression, Layout } from "./layout.ts";

export interface Push {
  readonly target: ImageReference;
  readonly access?: RegistryAccess;
  /** Compress little, but fast. */
  readonly isFast?: boolean;
}

/** Has `make` write an image into a layout and copies it to its target; the digest it has there. */
export async function pushMade(
  ctx: Context,
  { target, access = {}, isFast = false }: Push,
  make: (layout: Layout) => Promise<unknown>,
): Promise<string> {
  const compression = decideCompression(target, isFast);
  return await withWorkDirectory(ctx, "export", async (dir) => {
    await make({ dir, compression, signal: ctx.signal });
    return await doing(`pushing ${formatImageReference(target)}`, () =>
      deliverLayout(ctx, { layoutDir: dir, target, access }),
    );
  });
}

/** A storage keeps its layers unpacked. */
function decideCompression({ transport }: ImageReference, isFast: boolean): LayerCompression {
  if (transport === "containers-storage") return "none";
  return isFast ? "fast" : "good";
}
