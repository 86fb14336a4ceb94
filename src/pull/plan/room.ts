// The room that the layers of an image need, by its manifest alone, when nothing else about it can be used.
import { kindOf } from "../../errors.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import { formatImageReference, type ImageReference } from "../../image/reference.ts";
import { hasLayer } from "../../repository/images.ts";
import { requireSpace } from "../../repository/space.ts";
import type { PullRequest } from "../request.ts";

interface MeasuredImage {
  readonly request: Pick<PullRequest, "repo">;
  readonly image: ImageReference;
}

/**
 * Judges an image by `judge`. If that refuses it, and the image could not fit either, the lack of room is
 * the error: people who free some would otherwise learn only then that the image is of no use, and callers
 * of bootc 1.x look for this error first. An image that is accepted is measured again when it is fetched,
 * by then with all that is known about its layers.
 */
export async function orNoRoom<T>(
  { request, image }: MeasuredImage,
  { layers }: ImageManifest,
  judge: () => Promise<T>,
): Promise<T> {
  try {
    return await judge();
  } catch (error) {
    // The registry may answer the next time.
    if (["network", "authentication"].includes(kindOf(error))) throw error;
    const sizes = new Map(layers.map((it) => [it.digest, it.size]));
    let requiredBytes = 0;
    for (const [digest, size] of sizes) {
      if (!(await hasLayer(request.repo, digest))) requiredBytes += size;
    }
    await requireSpace(request.repo, { image: formatImageReference(image), requiredBytes });
    throw error;
  }
}
