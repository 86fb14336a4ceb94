// Images that the installed one binds: required before anything is erased, and stored with the machine.
import { BootcError } from "../../errors.ts";
import { parseManifest } from "../../image/manifest.ts";
import type { ImageReference } from "../../image/reference.ts";
import { parseRegistryName } from "../../image/registry-name.ts";
import type { InstallOptions } from "../../install/request.ts";
import { readStoredManifest } from "../../programs/skopeo/storage.ts";
import type { Context } from "../../system/context.ts";
import { readBoundImages, readCommittedBoundImages, remoteSource } from "./find.ts";
import { defaultStorageSource, storeImages } from "./storage.ts";

type Mode = InstallOptions["boundImages"];

/** An image that is unpacked at `root`, or a commit. */
type BindingImage = { readonly root: string } | { readonly repo: string; readonly commit: string };

/** What an image binds. With `stored`, refuses when the installing system's storage lacks one of them. */
export async function requireBoundImages(
  ctx: Context,
  { mode, ...image }: BindingImage & { readonly mode: Mode },
): Promise<readonly string[]> {
  if (mode === "skip") return [];
  const names = await ("root" in image
    ? readBoundImages(image.root)
    : readCommittedBoundImages(image.repo, image.commit));
  for (const name of mode === "stored" ? names : []) await requireStored(ctx, name);
  return names;
}

async function requireStored(ctx: Context, name: string): Promise<void> {
  const manifest = await readStoredManifest(ctx, { transport: "containers-storage", name });
  if (manifest === undefined) {
    throw new BootcError(`the bound image \`${name}\` is not in the container storage`, {
      hint: `run \`podman pull ${name}\` first, or pass \`--bound-images pull\` to fetch it`,
    });
  }
  // A storage keeps layers unpacked: a copy has another manifest, and so another digest than the name.
  if (parseRegistryName(name)?.digest === undefined || !hasCompressedLayers(manifest)) return;
  throw new BootcError(`the bound image \`${name}\` cannot be copied without changing its digest`, {
    kind: "unsupported",
    hint: "pass `--bound-images pull` to fetch it",
  });
}

function hasCompressedLayers(text: string): boolean {
  const parsed = parseManifest(text);
  if (parsed.kind !== "image") return false;
  return parsed.manifest.layers.some(({ mediaType }) => /[+.](gzip|zstd)$/.test(mediaType));
}

/** Puts the images into the storage of the machine at `sysroot`. */
export async function storeBoundImages(
  ctx: Context,
  images: readonly string[],
  { sysroot, mode }: { readonly sysroot: string; readonly mode: Mode },
): Promise<void> {
  const isPull = mode === "pull";
  await storeImages(ctx, images, {
    sysroot,
    verb: isPull ? "Fetching" : "Copying",
    sourceOf: async (name) => (isPull ? await remoteSource(ctx, name) : defaultStorageSource(name)),
  });
}

export interface InstalledImage {
  readonly source: ImageReference;
  /** What the machine follows, and under whose name podman finds the image. */
  readonly target: ImageReference;
}

/** Puts the installed image itself into the storage of the machine at `sysroot`. */
export async function storeInstalledImage(
  ctx: Context,
  { source, target }: InstalledImage,
  sysroot: string,
): Promise<void> {
  const isRemote = source.transport === "registry";
  await storeImages(ctx, [target.name], {
    sysroot,
    verb: isRemote ? "Fetching" : "Copying",
    noun: "image",
    sourceOf: async () =>
      isRemote
        ? await remoteSource(ctx, source.name)
        : { image: source, access: {}, policyFile: undefined },
  });
}
