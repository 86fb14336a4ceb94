import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readBoundImages } from "./bound-images.ts";

const DIR = "usr/lib/bootc/bound-images.d";

/** A tree in which `a.image` and `b.image` are bound, and name the images given. */
async function treeOf(...images: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "bound-"));
  for (const [i, image] of images.entries()) {
    const name = `${"ab"[i]}.image`;
    const path = join(root, "etc/containers/systemd", name);
    await mkdir(dirname(path), { recursive: true });
    await mkdir(join(root, DIR), { recursive: true });
    await writeFile(path, `[Image]\nImage=${image}\n`);
    await symlink(`/etc/containers/systemd/${name}`, join(root, DIR, name));
  }
  return root;
}

test("images are read in the order of their files, each once", async () => {
  expect(await readBoundImages(await treeOf("x", "y"))).toEqual(["x", "y"]);
  expect(await readBoundImages(await treeOf("x", "x"))).toEqual(["x"]);
  expect(await readBoundImages(await mkdtemp(join(tmpdir(), "bound-")))).toEqual([]);
});

test("a file in place of a link, and a link to nothing, are errors", async () => {
  const root = await treeOf("x");
  await symlink("/none.image", join(root, DIR, "z.image"));
  await expect(readBoundImages(root)).rejects.toMatchObject({
    cause: { message: `\`/${DIR}/z.image\``, cause: { code: "ENOENT" } },
  });
  await writeFile(join(root, DIR, "c.image"), "[Image]\nImage=x\n");
  await expect(readBoundImages(root)).rejects.toMatchObject({
    cause: { message: `Not a symlink: /${DIR}/c.image` },
  });
});
