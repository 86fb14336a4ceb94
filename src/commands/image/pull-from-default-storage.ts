// `bootc image pull-from-default-storage`: copy an image from podman's storage into that of the host.
import { defaultStorageSource, storeImages } from "../../deploy/bound-images/storage.ts";
import { hostStorage } from "../../deploy/bound-images/unified.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { BootcError } from "../../errors.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import { readStoredManifest } from "../../programs/skopeo/storage.ts";
import type { Context } from "../../system/context.ts";

export async function imagePullFromDefaultStorage(ctx: Context, name: string): Promise<void> {
  if (parseRegistryName(name) === undefined) {
    throw new BootcError(`\`${name}\` is not the name of an image`, {
      kind: "usage",
      hint: "write it as `podman image list` does, without a transport",
    });
  }
  await prepareForWrite(ctx);
  await withHostLock(ctx, { purpose: "copying an image" }, async () => {
    const image = { transport: "containers-storage", name } as const;
    if ((await readStoredManifest(ctx, image)) === undefined) {
      throw new BootcError(`podman's storage has no image \`${name}\``, {
        hint: "`podman image list` shows what there is",
      });
    }
    const place = await hostStorage(ctx);
    const sourceOf = async () => defaultStorageSource(name);
    await storeImages(ctx, [name], { ...place, verb: "Copying", noun: "image", sourceOf });
  });
}
