// An image made by us, pushed: written into a layout of its own for as long as that takes.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../errors.ts";
import { formatImageReference, type ImageReference } from "../image/reference.ts";
import { deliverLayout } from "../programs/skopeo/deliver.ts";
import type { RegistryAccess } from "../programs/skopeo/skopeo.ts";
import type { Context } from "../system/context.ts";
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
  make: (layout: Layout) => Promise<string>,
): Promise<string> {
  // On a disk: it takes as much room as the image.
  const dir = await mkdtemp(join(ctx.env.TMPDIR ?? "/var/tmp", "bootc-export-"));
  const compression = decideCompression(target, isFast);
  try {
    await make({ dir, compression, signal: ctx.signal });
    return await doing(`pushing ${formatImageReference(target)}`, () =>
      deliverLayout(ctx, { layoutDir: dir, target, access }),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A storage keeps its layers unpacked. */
function decideCompression({ transport }: ImageReference, isFast: boolean): LayerCompression {
  if (transport === "containers-storage") return "none";
  return isFast ? "fast" : "good";
}
