// The container storage that belongs to a machine: images are put into it, listed, and removed.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { doing } from "../../errors.ts";
import { decideUnbound, type StorageImage, storageName } from "../../host/bound-images.ts";
import { syncFilesystem } from "../../programs/disk/fs.ts";
import { isTransient } from "../../programs/skopeo/skopeo.ts";
import {
  type ContainerStorage,
  copyToStorage,
  deleteFromStorage,
  listStorage,
  type StorageCopy,
} from "../../programs/skopeo/storage.ts";
import { retrying } from "../../pull/fetch/retry.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories } from "../../system/files.ts";

/** Its path below the physical root; in images, /usr/lib/bootc/storage points here. */
const STORAGE = "ostree/bootc/storage";

/** How often an image is requested while its registry is in trouble. */
const ATTEMPTS_MAX = 5;

export interface StoragePlace {
  /** The physical root. */
  readonly sysroot: string;
  /** Called on the directory of a storage that is new, before it appears. */
  readonly finishNew?: (dir: string) => Promise<void>;
}

export interface StoreRequest extends StoragePlace {
  /** What is done to each image, for messages: `Fetching`. */
  readonly verb: string;
  /** What each image is, for messages. */
  readonly noun?: "bound image" | "image";
  readonly sourceOf: (name: string) => Promise<StorageCopy["source"]>;
}

/** Puts images into the storage, replacing those of the same names. */
export async function storeImages(
  ctx: Context,
  images: readonly string[],
  { verb, noun = "bound image", sourceOf, ...place }: StoreRequest,
): Promise<void> {
  if (images.length === 0) return;
  await addToStorage(ctx, place, async (storage) => {
    for (const image of images) {
      ctx.note(`${verb} ${noun}: ${image}`);
      await doing(`storing the ${noun} \`${image}\``, async () => {
        const copy = { source: await sourceOf(image), name: storageName(image), storage };
        await retrying(ctx, { attemptsMax: ATTEMPTS_MAX, isTransient }, () =>
          copyToStorage(ctx, copy),
        );
      });
    }
  });
  const title = noun === "image" ? "Images" : "Bound images";
  ctx.note(`${title} stored: ${images.length}`);
}

/** Has `work` put something into the storage; a new storage appears complete, or not at all. */
export async function addToStorage(
  ctx: Context,
  { sysroot, finishNew }: StoragePlace,
  work: (storage: ContainerStorage) => Promise<void>,
): Promise<void> {
  const final = join(sysroot, STORAGE);
  const isNew = !(await exists(final));
  const dir = isNew ? `${final}.tmp` : final;
  if (isNew) await rm(dir, { recursive: true, force: true });
  await makeDirectories(dir);
  await withRunDirectory(dir, work);
  if (isNew) await finishNew?.(dir);
  // Flush now: the next boot depends on these images.
  await syncFilesystem(ctx, dir);
  if (isNew) await rename(dir, final);
}

/** What podman's own storage has under that name. Whoever put it there has vouched for it. */
export function defaultStorageSource(name: string): StorageCopy["source"] {
  const image = { transport: "containers-storage", name } as const;
  return { image, access: {}, policyFile: undefined };
}

/** The images in the storage of the running host. */
export async function listMachineStorage(ctx: Context): Promise<readonly StorageImage[]> {
  return await listStorage(join(ctx.root, "sysroot", STORAGE));
}

/** Those of `images` that the storage of the machine at `sysroot` does not have. */
export async function readMissing(
  sysroot: string,
  images: readonly string[],
): Promise<readonly string[]> {
  const stored = await listStorage(join(sysroot, STORAGE));
  const names = new Set(stored.flatMap((it) => it.names));
  return images.filter((it) => !names.has(storageName(it)));
}

/** Removes the images without a name in `wanted`, and returns them. */
export async function removeUnbound(
  ctx: Context,
  sysroot: string,
  wanted: readonly string[],
): Promise<readonly StorageImage[]> {
  const dir = join(sysroot, STORAGE);
  const unbound = decideUnbound(await listStorage(dir), wanted);
  if (unbound.length === 0) return [];
  await withRunDirectory(dir, async (storage) => {
    for (const it of unbound) {
      const name = it.names[0] ?? it.id;
      await doing(`removing the image \`${name}\``, () => deleteFromStorage(ctx, storage, it.id));
    }
  });
  return unbound;
}

/** Runs `work` on the storage of the running host, which exists. */
export async function withHostStorage<T>(
  ctx: Context,
  work: (storage: ContainerStorage) => Promise<T>,
): Promise<T> {
  return await withRunDirectory(join(ctx.root, "sysroot", STORAGE), work);
}

/** What storages keep while they are in use need not outlive it. */
async function withRunDirectory<T>(
  dir: string,
  work: (storage: ContainerStorage) => Promise<T>,
): Promise<T> {
  const runDir = await mkdtemp(join(tmpdir(), "bootc-storage-"));
  try {
    return await work({ dir, runDir });
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}
