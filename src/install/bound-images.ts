// Images that the installed one binds to itself: found, required before anything is erased, and stored.
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { BOUND_IMAGES_DIR, parseBoundImage } from "../host/bound-images.ts";
import { parseManifest } from "../image/manifest.ts";
import { parseRegistryName } from "../image/registry-name.ts";
import { readAuthFile, requirePolicyFile } from "../programs/container-policy.ts";
import {
  copyToStorage,
  readStoredManifest,
  type StorageCopy,
} from "../programs/container-storage.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { resolveInRoot } from "../system/in-root.ts";
import { readLinkIfAny, readNamesIfAny } from "../system/optional-file.ts";
import type { InstallOptions } from "./request.ts";

/** Where a machine keeps them, below its physical root; images have /usr/lib/bootc/storage point here. */
const STORAGE = "ostree/bootc/storage";

/** Names of the images that the image unpacked at `root` binds, each once. */
export async function readBoundImages(root: string): Promise<readonly string[]> {
  return await doing("reading the bound images", async () => {
    const images: string[] = [];
    for (const name of await readNamesIfAny(join(root, BOUND_IMAGES_DIR))) {
      const path = join(BOUND_IMAGES_DIR, name);
      if ((await readLinkIfAny(join(root, path))) === undefined) {
        throw new BootcError(`Not a symlink: /${path}`);
      }
      const file = await resolveInRoot(root, path);
      images.push(
        await doing(`\`/${path}\``, async () =>
          parseBoundImage(name, await readFile(file, "utf8")),
        ),
      );
    }
    return [...new Set(images)];
  });
}

type Mode = InstallOptions["boundImages"];

/** Refuses, with `stored`, when the storage of whoever installs lacks one of the images at `root`. */
export async function requireBoundImages(
  ctx: Context,
  { root, mode }: { readonly root: string; readonly mode: Mode },
): Promise<readonly string[]> {
  if (mode === "skip") return [];
  const names = await readBoundImages(root);
  for (const name of mode === "stored" ? names : []) await requireStored(ctx, name);
  return names;
}

async function requireStored(ctx: Context, name: string): Promise<void> {
  const manifest = await readStoredManifest(ctx, { transport: "containers-storage", name });
  if (manifest === undefined) {
    throw new BootcError(`the bound image \`${name}\` is not in the container storage`, {
      hint: `run \`podman pull ${name}\` first, or have it fetched with \`--bound-images pull\``,
    });
  }
  // A storage has its layers unpacked: a copy has another manifest, and so not the digest in the name.
  if (parseRegistryName(name)?.digest === undefined || !hasCompressedLayers(manifest)) return;
  throw new BootcError(`the bound image \`${name}\` cannot be copied without changing its digest`, {
    kind: "unsupported",
    hint: "have it fetched with `--bound-images pull`",
  });
}

function hasCompressedLayers(text: string): boolean {
  const parsed = parseManifest(text);
  if (parsed.kind !== "image") return false;
  return parsed.manifest.layers.some(({ mediaType }) => /[+.](gzip|zstd)$/.test(mediaType));
}

/** Puts the images into the storage of the machine at `sysroot`; one that is new appears complete. */
export async function storeBoundImages(
  ctx: Context,
  images: readonly string[],
  { sysroot, mode }: { readonly sysroot: string; readonly mode: Mode },
): Promise<void> {
  if (images.length === 0) return;
  const final = join(sysroot, STORAGE);
  const isNew = !(await exists(final));
  const dir = isNew ? `${final}.tmp` : final;
  if (isNew) await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const runDir = await mkdtemp(join(tmpdir(), "bootc-storage-"));
  try {
    for (const name of images) {
      ctx.note(`${mode === "pull" ? "Fetching" : "Copying"} bound image: ${name}`);
      const source = mode === "pull" ? await remoteSource(ctx, name) : localSource(name);
      await doing(`storing the bound image \`${name}\``, () =>
        copyToStorage(ctx, { source, name, storage: { dir, runDir } }),
      );
    }
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
  if (isNew) await rename(dir, final);
  ctx.note(`Bound images stored: ${images.length}`);
}

function localSource(name: string): StorageCopy["source"] {
  const image = { transport: "containers-storage", name } as const;
  return { image, access: {}, policyFile: undefined };
}

async function remoteSource(ctx: Context, name: string): Promise<StorageCopy["source"]> {
  const authFile = await readAuthFile(ctx);
  return {
    image: { transport: "registry", name },
    access: authFile === undefined ? { isAnonymous: true } : { authFile },
    policyFile: await requirePolicyFile(ctx),
  };
}
