// Images for podman: whether its own storage has them, and copies in a storage that comes with a machine.
import { formatSkopeoName, type ImageReference } from "../image/reference.ts";
import type { Context } from "../system/context.ts";
import { failureOf } from "../system/run.ts";
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

export interface StorageCopy {
  /** `policyFile` undefined: whoever stored it here has vouched for it already. */
  readonly source: Omit<SkopeoSource, "policyFile"> & { readonly policyFile: string | undefined };
  /** What the copy is called. */
  readonly name: string;
  readonly storage: { readonly dir: string; readonly runDir: string };
}

/** Copies an image into the storage at `dir`, in mounts of its own: the storage would leave one behind. */
export async function copyToStorage(ctx: Context, it: StorageCopy): Promise<void> {
  const { image, access, policyFile } = it.source;
  const target = `containers-storage:[overlay@${it.storage.dir}+${it.storage.runDir}]${it.name}`;
  const policy = policyFile === undefined ? "--insecure-policy" : `--policy=${policyFile}`;
  const args = ["copy", "--quiet", "--remove-signatures", ...registryArgs(access, "src-")];
  const command = ["skopeo", policy, ...args, formatSkopeoName(image), target];
  try {
    const how = { isQuiet: true, endsWithUs: true };
    await ctx.run("unshare", ["--mount", "--", ...command], how);
  } catch (error) {
    throw explainSkopeo(error, image);
  }
}
