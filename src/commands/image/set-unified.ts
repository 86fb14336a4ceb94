// `bootc image set-unified`: put the booted image into the container storage of the host.
import { remoteSource } from "../../deploy/bound-images/find.ts";
import {
  addToStorage,
  defaultStorageSource,
  storeImages,
} from "../../deploy/bound-images/storage.ts";
import {
  hostStorage,
  requireInHostStorage,
  unifiedName,
} from "../../deploy/bound-images/unified.ts";
import { requireBooted } from "../../deploy/deploy-image.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { BootcError } from "../../errors.ts";
import { pushHostImage } from "../../export/host-image.ts";
import { formatImageReference, type ImageReference } from "../../image/reference.ts";
import { canonicalizeReference } from "../../image/registry-name.ts";
import { imageInStorage, readStoredManifest } from "../../programs/skopeo/storage.ts";
import { UNIFIED_MESSAGE_ID, writeJournal } from "../../programs/systemd.ts";
import { requireStoredImage } from "../../repository/images.ts";
import { readSysroot, systemRepo } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";

/** Origins and deployments stay as they are; later upgrades find the image in the storage, and use it. */
export async function imageSetUnified(ctx: Context): Promise<void> {
  await prepareForWrite(ctx);
  await withHostLock(ctx, { purpose: "storing the booted image" }, async () => {
    const image = await requireUnifiable(ctx);
    const name = formatImageReference(image);
    await storeUnified(ctx, image);
    await requireInHostStorage(ctx, image);
    await writeJournal(ctx, {
      messageId: UNIFIED_MESSAGE_ID,
      message: `Unified storage for ${name}`,
      fields: { BOOTC_IMAGE_REFERENCE: image.name, BOOTC_IMAGE_TRANSPORT: image.transport },
    });
    ctx.say(`Stored for podman as well: ${name}`);
  });
}

async function requireUnifiable(ctx: Context): Promise<ImageReference> {
  const { image } = requireBooted(await readSysroot(ctx)).origin;
  if (image !== undefined && unifiedName(image.image) !== undefined) return image.image;
  throw new BootcError("the booted image does not have a name that a container storage can keep", {
    kind: "unsupported",
    hint: "`bootc switch` to an image from a registry first",
  });
}

/** From podman's own storage if it is there; what never was in a registry is made of its commits. */
async function storeUnified(ctx: Context, image: ImageReference): Promise<void> {
  const { name, transport } = image;
  const place = await hostStorage(ctx);
  const local = { transport: "containers-storage", name } as const;
  const isInPodman = (await readStoredManifest(ctx, local)) !== undefined;
  if (!isInPodman && transport === "containers-storage") {
    await exportIntoStorage(ctx, image);
    return;
  }
  await storeImages(ctx, [name], {
    ...place,
    verb: isInPodman ? "Copying" : "Fetching",
    noun: "image",
    sourceOf: async () => (isInPodman ? defaultStorageSource(name) : await remoteSource(ctx, name)),
  });
}

async function exportIntoStorage(ctx: Context, image: ImageReference): Promise<void> {
  const repo = systemRepo(ctx);
  const stored = await requireStoredImage(repo, canonicalizeReference(image));
  const name = unifiedName(image) ?? image.name;
  await addToStorage(ctx, await hostStorage(ctx), async (storage) => {
    const target = imageInStorage(storage, name);
    await pushHostImage(ctx, { target }, { repo, stored });
  });
}
