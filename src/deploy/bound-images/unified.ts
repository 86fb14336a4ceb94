// Images of the operating system in the container storage of the host, where podman sees them as well.
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { storageName } from "../../host/bound-images.ts";
import {
  formatImageReference,
  type ImageReference,
  type OstreeReference,
} from "../../image/reference.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import { imageInStorage, readStoredManifest } from "../../programs/skopeo/storage.ts";
import type { Context } from "../../system/context.ts";
import { isSelinuxOn } from "../../system/label.ts";
import { labelStorage } from "../label-files.ts";
import { remoteSource } from "./find.ts";
import {
  defaultStorageSource,
  listMachineStorage,
  type StoragePlace,
  storeImages,
  withHostStorage,
} from "./storage.ts";

/** The storage of the running host; a new one is labelled by the policy of the running system. */
export async function hostStorage(ctx: Context): Promise<StoragePlace> {
  const isLabelled = await isSelinuxOn(ctx);
  return {
    sysroot: join(ctx.root, "sysroot"),
    ...(isLabelled && { finishNew: (dir: string) => labelStorage(ctx, ctx.root, dir) }),
  };
}

/** What the image is called in a storage; undefined for one that is a file or a directory. */
export function unifiedName({ transport, name }: ImageReference): string | undefined {
  const isNamed = transport === "registry" || transport === "containers-storage";
  return isNamed && parseRegistryName(name) !== undefined ? storageName(name) : undefined;
}

export async function isInHostStorage(ctx: Context, image: ImageReference): Promise<boolean> {
  const wanted = unifiedName(image);
  if (wanted === undefined) return false;
  return (await listMachineStorage(ctx)).some((it) => it.names.includes(wanted));
}

export async function requireInHostStorage(ctx: Context, image: ImageReference): Promise<void> {
  if (await isInHostStorage(ctx, image)) return;
  throw new BootcError(`\`${image.name}\` did not arrive in the host's container storage`);
}

export interface UnifiedRequest {
  readonly reference: OstreeReference;
  /** Whether the storage gets the image also if it does not have it yet. */
  readonly isWanted: boolean;
}

/**
 * Where the host's storage has an image that its updates shall go through, brought up to date; undefined for
 * an image that is not there. One that something has to vouch for is always read at its source.
 */
export async function withUnifiedCopy<T>(
  ctx: Context,
  { reference: { image, verification }, isWanted }: UnifiedRequest,
  work: (refresh: (() => Promise<ImageReference>) | undefined) => Promise<T>,
): Promise<T> {
  const needsNoPolicy = verification.kind === "none";
  const isUnified = needsNoPolicy && (isWanted || (await isInHostStorage(ctx, image)));
  const name = isWanted ? requireUnifiedName(image) : unifiedName(image);
  if (name === undefined || !isUnified) return await work(undefined);
  return await withHostStorage(ctx, (storage) =>
    work(async () => {
      await refreshUnified(ctx, image);
      return imageInStorage(storage, name);
    }),
  );
}

/** The name of an image that somebody wants to have in a storage. */
export function requireUnifiedName(image: ImageReference): string {
  const name = unifiedName(image);
  if (name !== undefined) return name;
  throw new BootcError(
    `${formatImageReference(image)} has no name that a container storage can keep`,
    {
      kind: "unsupported",
      hint: "only images of registries and of podman's storage can be unified",
    },
  );
}

/** From where the image comes. An image that podman's own storage has lost is used as it is. */
async function refreshUnified(ctx: Context, image: ImageReference): Promise<void> {
  const { name, transport } = image;
  const isLocal = transport === "containers-storage";
  if (isLocal && (await readStoredManifest(ctx, image)) === undefined) return;
  const place = await hostStorage(ctx);
  await storeImages(ctx, [name], {
    ...place,
    verb: isLocal ? "Copying" : "Fetching",
    noun: "image",
    sourceOf: async () => (isLocal ? defaultStorageSource(name) : await remoteSource(ctx, name)),
  });
}
