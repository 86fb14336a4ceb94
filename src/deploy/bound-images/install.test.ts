import { expect, test } from "vitest";
import { treeOf } from "../../testing/bound-tree.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { requireBoundImages } from "./install.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

function manifestWith(mediaType: string): string {
  const layer = { mediaType, digest: DIGEST, size: 1 };
  return JSON.stringify({ schemaVersion: 2, config: layer, layers: [layer] });
}

test("stored: every image is looked for; pull and skip ask nobody", async () => {
  const root = await treeOf("quay.io/a:1", `quay.io/b@${DIGEST}`);
  const plain = manifestWith("application/vnd.oci.image.layer.v1.tar");
  const { ctx, requireAllUsed } = scriptedContext(root, [
    ["? skopeo inspect --raw containers-storage:quay.io/a:1", plain],
    [`? skopeo inspect --raw containers-storage:quay.io/b@${DIGEST}`, plain],
  ]);
  const names = ["quay.io/a:1", `quay.io/b@${DIGEST}`];
  expect(await requireBoundImages(ctx, { root, mode: "stored" })).toEqual(names);
  expect(await requireBoundImages(ctx, { root, mode: "pull" })).toEqual(names);
  expect(await requireBoundImages(ctx, { root, mode: "skip" })).toEqual([]);
  requireAllUsed();
});

test.each(["tar+gzip", "tar.zstd"])("a digest cannot be kept when layers are %s", async (kind) => {
  const root = await treeOf(`quay.io/b@${DIGEST}`);
  const manifest = manifestWith(`application/vnd.oci.image.layer.v1.${kind}`);
  const { ctx } = scriptedContext(root, [
    [`? skopeo inspect --raw containers-storage:quay.io/b@${DIGEST}`, manifest],
  ]);
  await expect(requireBoundImages(ctx, { root, mode: "stored" })).rejects.toMatchObject({
    kind: "unsupported",
  });
});
