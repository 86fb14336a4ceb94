// `ostree container image copy`: copy a stored image, with all its layers, to another repository.
import { type LockFlags, lockTimeoutOf } from "../../../cli/options.ts";
import { BootcError, doing } from "../../../errors.ts";
import { formatImageReference, parseOstreeReference } from "../../../image/reference.ts";
import { canonicalizeReference } from "../../../image/registry-name.ts";
import { blobRef, imageRef } from "../../../ostree/ref-names.ts";
import { copyRefs } from "../../../programs/ostree/repo.ts";
import { findLayersOf, requireStoredImage } from "../../../repository/images.ts";
import { withRepositoryLock } from "../../../repository/lock.ts";
import type { Context } from "../../../system/context.ts";

export interface ImageCopyOptions extends LockFlags {
  readonly srcRepo: string;
  readonly destRepo: string;
  readonly imgref: string;
}

export async function imageCopy(ctx: Context, options: ImageCopyOptions): Promise<void> {
  const image = canonicalizeReference(parseOstreeReference(options.imgref).image);
  const name = formatImageReference(image);
  const stored = await requireStoredImage(options.srcRepo, image);
  const layers = await findLayersOf(options.srcRepo, stored);
  const lost = layers.find((it) => it.commit === undefined);
  if (lost !== undefined) {
    throw new BootcError(`${name} lacks its layer \`${lost.digest}\` in \`${options.srcRepo}\``, {
      kind: "integrity",
    });
  }
  const refs = [imageRef(name), ...new Set(layers.map((it) => blobRef(it.digest)))];
  const repo = options.destRepo;
  const work = () =>
    // In one transaction, so that the image is there completely or not at all.
    copyRefs(ctx, repo, { from: options.srcRepo, refs });
  await doing(`copying ${name}`, () =>
    withRepositoryLock(ctx, repo, {
      options: { purpose: `copying ${name}`, timeoutMs: lockTimeoutOf(options) },
      work,
    }),
  );
}
