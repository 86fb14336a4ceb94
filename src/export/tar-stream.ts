// A commit with all its objects as one tar, format version 1; and such a tar as an image of one layer.
import { formatImageTime } from "../image/config.ts";
import { platformOf } from "../image/platform.ts";
import type { ImageReference } from "../image/reference.ts";
import { LAYOUT_IMAGE } from "../programs/skopeo/skopeo.ts";
import { tarOf } from "../pull/store/by-ostree.ts";
import type { Context } from "../system/context.ts";
import { withWorkDirectory } from "../system/work-directory.ts";
import { createLayout, writeImageOf, writeTarLayer } from "./layout.ts";
import { commitLayerEntries, readCommitObjects } from "./object-layer.ts";

export async function tarOfCommit(
  repo: string,
  commit: string,
): Promise<AsyncIterable<readonly Uint8Array[]>> {
  const objects = await readCommitObjects(repo, commit);
  return tarOf(commitLayerEntries(objects, [...objects.paths.keys()]));
}

/** Runs `work` while the tar is an image, so that it is verified and stored by what stores images. */
export async function withTarAsImage<T>(
  ctx: Context,
  tar: AsyncIterable<Uint8Array>,
  work: (image: ImageReference) => Promise<T>,
): Promise<T> {
  return await withWorkDirectory(ctx, "import", async (dir) => {
    const layout = { dir, compression: "none", signal: ctx.signal } as const;
    await createLayout(layout);
    const { descriptor, diffId } = await writeTarLayer(layout, tar);
    const { os, architecture } = platformOf(process.arch);
    const config = {
      ...{ os, architecture, created: formatImageTime(0) },
      config: { Labels: { "ostree.final-diffid": diffId } },
      rootfs: { ...{ type: "layers" }, diff_ids: [diffId] },
    };
    await writeImageOf(layout, config, { schemaVersion: 2, layers: [descriptor] });
    return await work({ transport: "oci", name: `${dir}:${LAYOUT_IMAGE}` });
  });
}
