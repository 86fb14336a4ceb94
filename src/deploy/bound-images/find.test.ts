import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { treeOf } from "../../testing/bound-tree.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { readBoundImages, remoteSource } from "./find.ts";

const DIR = "usr/lib/bootc/bound-images.d";

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

test("a bound image is fetched under the policy of the machine, and without one not at all", async () => {
  const root = await mkdtemp(join(tmpdir(), "bound-"));
  const { ctx } = scriptedContext(root, [["? skopeo --version", "skopeo version 1.9.3\n"]]);
  await expect(remoteSource(ctx, "quay.io/a/b")).rejects.toMatchObject({ kind: "policy" });
  await mkdir(join(root, "etc/containers"), { recursive: true });
  await writeFile(join(root, "etc/containers/policy.json"), "{}");
  expect(await remoteSource(ctx, "quay.io/a/b:1")).toEqual({
    image: { transport: "registry", name: "quay.io/a/b:1" },
    access: { isAnonymous: true },
    policyFile: join(root, "etc/containers/policy.json"),
  });
});
