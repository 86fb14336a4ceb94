// One small image in a separate registry, and the files that its pull may leave in a repository.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { makeScratch, type Scratch, skopeo } from "./program.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { type MadeImage, makeTinyImage, type TinyImage } from "./tiny-image.ts";

export interface ServedImage {
  readonly scratch: Scratch;
  readonly registry: Registry;
  readonly image: MadeImage;
  remove(): Promise<void>;
}

/** Serves an image of these layers as `ADDRESS/os`. */
export async function serveImage(
  layers: TinyImage["layers"],
  labels: Readonly<Record<string, string>> = {},
): Promise<ServedImage> {
  const scratch = await makeScratch();
  const registry = await startRegistry();
  const dir = join(scratch.dir, "image");
  await mkdir(dir);
  const image = await makeTinyImage(dir, "os", { layers, labels });
  const target = `docker://${registry.address}/os`;
  skopeo("copy", "-q", `oci:${dir}:os`, target, "--dest-tls-verify=false");
  return {
    scratch,
    registry,
    image,
    async remove() {
      await registry.stop();
      await scratch.remove();
    },
  };
}

/** Files below `extensions/bootc` that no finished pull leaves. */
export async function leftovers(repo: string): Promise<readonly string[]> {
  const entries = await readdir(join(repo, "extensions/bootc"), { recursive: true });
  return entries.filter((it) => !["lock", "blobs", "blobs/sha256"].includes(it));
}
