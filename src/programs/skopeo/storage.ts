// Images for podman: whether its own storage has them, and copies in a storage that comes with a machine.
import { join } from "node:path";
import { isObject, parseJson, requireArray, requireString } from "../../format/json.ts";
import type { StorageImage } from "../../host/bound-images.ts";
import { formatSkopeoName, type ImageReference } from "../../image/reference.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";
import { failureOf } from "../../system/run.ts";
import { explainSkopeo, registryArgs, type SkopeoSource } from "./skopeo.ts";

/** The manifest of an image in podman's storage, as this process sees it; undefined: it is not there. */
export async function readStoredManifest(
  ctx: Context,
  image: ImageReference,
): Promise<string | undefined> {
  try {
    return await ctx.read("skopeo", ["inspect", "--raw", formatSkopeoName(image)]);
  } catch (error) {
    if (/does not resolve to an image ID/.test(failureOf(error)?.stderr ?? "")) return undefined;
    throw explainSkopeo(error, image);
  }
}

/** A storage of the overlay driver, and a directory for what is of use only while it is written. */
export interface ContainerStorage {
  readonly dir: string;
  readonly runDir: string;
}

export interface StorageCopy {
  /** `policyFile` undefined: whoever stored it here has vouched for it already. */
  readonly source: Omit<SkopeoSource, "policyFile"> & { readonly policyFile: string | undefined };
  /** What the copy is called. */
  readonly name: string;
  readonly storage: ContainerStorage;
}

/** Copies an image into the storage at `dir`, in mounts of its own: the storage would leave one behind. */
export async function copyToStorage(ctx: Context, it: StorageCopy): Promise<void> {
  const { image, access, policyFile } = it.source;
  const target = formatStored(it.storage, it.name);
  const policy = policyFile === undefined ? "--insecure-policy" : `--policy=${policyFile}`;
  const args = ["copy", "--quiet", "--remove-signatures", ...registryArgs(access, "src-")];
  try {
    await runApart(ctx, ["skopeo", policy, ...args, formatSkopeoName(image), target]);
  } catch (error) {
    throw explainSkopeo(error, image);
  }
}

/** Removes an image under all its names, and the layers no other image has. */
export async function deleteFromStorage(
  ctx: Context,
  { dir, runDir }: ContainerStorage,
  id: string,
): Promise<void> {
  const target = formatStored({ dir, runDir }, `@${id}`);
  await runApart(ctx, ["skopeo", "--insecure-policy", "delete", target]);
}

/** The images in the storage at `dir`, as its own list has them; no storage has none. */
export async function listStorage(dir: string): Promise<readonly StorageImage[]> {
  const path = join(dir, "overlay-images/images.json");
  const text = await readFileIfAny(path);
  return text === undefined ? [] : parseStorageList(path, text);
}

/** Format: containers/storage; an array of objects with an `id` and, unless it lost them, `names`. */
export function parseStorageList(path: string, text: string): readonly StorageImage[] {
  return requireArray(parseJson(path, text), path, "images").map((it) => {
    const { id, names } = isObject(it) ? it : {};
    const list = names === undefined || names === null ? [] : requireArray(names, path, "names");
    return {
      id: requireString(id, path, "id"),
      names: list.map((name) => requireString(name, path, "names")),
    };
  });
}

/** An image in a storage that is not podman's default one. */
export function imageInStorage({ dir, runDir }: ContainerStorage, name: string): ImageReference {
  return { transport: "containers-storage", name: `[overlay@${dir}+${runDir}]${name}` };
}

function formatStored(storage: ContainerStorage, name: string): string {
  return formatSkopeoName(imageInStorage(storage, name));
}

/** The library of storages leaves a mount of the storage behind; it goes with the namespace. */
async function runApart(ctx: Context, command: readonly string[]): Promise<void> {
  const how = { isQuiet: true, endsWithUs: true };
  await ctx.run("unshare", ["--mount", "--", ...command], how);
}
