// The tree of an unpacked image that binds other images.
import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BOUND_IMAGES_DIR } from "../host/bound-images.ts";

/** A tree with `a.image` and `b.image` bound; these files name the given images. */
export async function treeOf(...images: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "bound-"));
  for (const [i, image] of images.entries()) {
    const name = `${"ab"[i]}.image`;
    const path = join(root, "etc/containers/systemd", name);
    await mkdir(dirname(path), { recursive: true });
    await mkdir(join(root, BOUND_IMAGES_DIR), { recursive: true });
    await writeFile(path, `[Image]\nImage=${image}\n`);
    await symlink(`/etc/containers/systemd/${name}`, join(root, BOUND_IMAGES_DIR, name));
  }
  return root;
}
