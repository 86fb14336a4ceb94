// `ostree container image replace-detached-metadata`: sign the commit of an image after it was made.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AccessFlags, accessOf } from "../../../cli/options.ts";
import { BootcError, doing } from "../../../errors.ts";
import { replaceDetached } from "../../../export/detached.ts";
import { pushMade } from "../../../export/push.ts";
import { parseImageReference } from "../../../image/reference.ts";
import { parseDictionary } from "../../../ostree/objects.ts";
import { copyToLayout, readLayoutManifest } from "../../../programs/skopeo/skopeo.ts";
import { readSource } from "../../../pull/plan/source.ts";
import type { Context } from "../../../system/context.ts";

export interface ReplaceDetachedOptions extends AccessFlags {
  readonly src: string;
  readonly dest: string;
  readonly file?: string;
}

export async function imageReplaceDetachedMetadata(
  ctx: Context,
  options: ReplaceDetachedOptions,
): Promise<void> {
  const image = parseImageReference(options.src);
  const target = parseImageReference(options.dest);
  const metadata = options.file === undefined ? undefined : await readMetadata(options.file);
  const access = accessOf(options);
  const reference = { image, verification: { kind: "none" } } as const;
  const source = await readSource(ctx, image, { reference, access });
  const digest = await pushMade(ctx, { target, access }, async (layout) => {
    const blobDir = join(layout.dir, "blobs");
    await mkdir(blobDir);
    await copyToLayout(ctx, source, { target: { layoutDir: layout.dir, blobDir } });
    const manifest = await readLayoutManifest(layout.dir);
    return await replaceDetached(layout, { manifest, metadata });
  });
  ctx.say(`Pushed: ${digest}`);
}

async function readMetadata(path: string): Promise<Buffer> {
  const bytes = await doing(`reading \`${path}\``, () => readFile(path));
  try {
    parseDictionary(bytes);
  } catch (cause) {
    throw new BootcError(`\`${path}\` is not detached metadata of ostree`, {
      kind: "usage",
      cause,
      hint: "the content of a `.commitmeta` object is: a GVariant of the type `a{sv}`",
    });
  }
  return bytes;
}
