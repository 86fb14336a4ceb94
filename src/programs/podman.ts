// The podman of our container's host: the images in its storage.
import type { Context } from "../system/context.ts";

/** The digest of an image's manifest. */
export async function readHostImageDigest(ctx: Context, imageId: string): Promise<string> {
  const asHost = ["--target=1", "--mount", "--", "podman"];
  const words = ["image", "inspect", "--format={{.Digest}}", imageId];
  return (await ctx.read("nsenter", [...asHost, ...words])).trim();
}
