// An image by its name, as a tree and as facts about its layers.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../errors.ts";
import { isObject, parseJsonObject } from "../../format/json.ts";
import { labelsOf, parseConfig } from "../../image/config.ts";
import { type ImageManifest, parseImageManifest } from "../../image/manifest.ts";
import { formatImageReference, parseImageReference } from "../../image/reference.ts";
import { readAuthFile, requirePolicyFile } from "../../programs/skopeo/policy.ts";
import { copyToLayout } from "../../programs/skopeo/skopeo.ts";
import { openLayerBlob } from "../../pull/import/blob.ts";
import type { Context } from "../../system/context.ts";
import { withWorkDirectory } from "../../system/work-directory.ts";
import type { ImageFacts } from "../check.ts";
import type { ImageTree } from "../tree.ts";
import { type OpenLayer, readLayers } from "./layers.ts";

export interface ReadImage {
  readonly tree: ImageTree;
  readonly facts: ImageFacts;
}

/** `name` is `TRANSPORT:NAME`, as skopeo has it. */
export async function readImage(ctx: Context, name: string): Promise<ReadImage> {
  const image = parseImageReference(name);
  return await doing(`reading the image ${formatImageReference(image)}`, () =>
    withWorkDirectory(ctx, "image", async (dir) => {
      const authFile = await readAuthFile(ctx);
      const source = {
        image,
        access: authFile === undefined ? {} : { authFile },
        policyFile: await requirePolicyFile(ctx),
      };
      const target = { layoutDir: join(dir, "layout"), blobDir: join(dir, "blobs") };
      await copyToLayout(ctx, source, { target });
      return await readLayout(target);
    }),
  );
}

interface Layout {
  readonly layoutDir: string;
  readonly blobDir: string;
}

async function readLayout({ layoutDir, blobDir }: Layout): Promise<ReadImage> {
  const blob = (digest: string) => join(blobDir, ...digest.split(":"));
  const what = "the copied image's index.json";
  const { manifests } = parseJsonObject(
    what,
    await readFile(join(layoutDir, "index.json"), "utf8"),
  );
  const [first]: readonly unknown[] = Array.isArray(manifests) ? manifests : [];
  const digest = isObject(first) ? first.digest : undefined;
  if (typeof digest !== "string") throw new BootcError(`${what} names no manifest`);
  const manifest = parseImageManifest(await readFile(blob(digest), "utf8"));
  const config = parseConfig(await readFile(blob(manifest.config.digest), "utf8"));
  const { tree, layers, rewrites } = await readLayers(
    openLayers(manifest, config.rootfs.diff_ids, blob),
  );
  return { tree, facts: { labels: labelsOf(config), layers, rewrites } };
}

/** Each layer is opened when the one before it was read. */
async function* openLayers(
  manifest: ImageManifest,
  diffIds: readonly string[],
  blob: (digest: string) => string,
): AsyncGenerator<OpenLayer> {
  for (const [i, { digest, size }] of manifest.layers.entries()) {
    const { tar } = openLayerBlob(blob(digest), { digest, sizeBytes: size, diffId: diffIds[i] });
    yield { digest, sizeBytes: size, tar };
  }
}
