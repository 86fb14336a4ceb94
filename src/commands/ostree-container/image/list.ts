// `ostree container image list`: list the images of a repository, one per line.
import { listStoredImages } from "../../../repository/images.ts";
import type { Context } from "../../../system/context.ts";

export async function imageList(ctx: Context, { repo }: { readonly repo: string }): Promise<void> {
  for (const name of await listStoredImages(repo)) ctx.say(name);
}
