import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EMPTY_TREE } from "../../ostree/objects.ts";
import type { Context } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { makeFileRepository } from "../../testing/stored-image.ts";
import { commitImage, type ImageCommitRequest } from "./commit.ts";

const LAYER = { digest: `sha256:${"a".repeat(64)}`, commit: "c".repeat(64) };
const PROTECTIVE = "ostree/container/baseimage/bootc-pull/run";

function requestOf(repo: string, kernels: readonly string[]): ImageCommitRequest {
  return {
    repo,
    derived: [LAYER.commit],
    merged: {
      rootTree: EMPTY_TREE,
      rootMeta: "0".repeat(64),
      newTrees: new Map(),
      kernels,
      replacedLinks: new Map(),
    },
    reference: "docker://quay.io/example/os",
    layers: [LAYER],
    manifestDigest: `sha256:${"0".repeat(64)}`,
    manifest: "{}",
    config: "{}",
    createdEpoch: 0,
    importerVersion: "1",
    protectiveRef: PROTECTIVE,
  };
}

/** A context whose ostree takes what it is given; `pulled` has the refs of each local pull. */
function makeContext(repo: string): { readonly ctx: Context; readonly pulled: string[][] } {
  const pulled: string[][] = [];
  const read = async (program: string, args: readonly string[]) => {
    expect([program, args[0]]).toEqual(["ostree", "pull-local"]);
    const scratch = args.find((it) => it.startsWith(join(repo, "tmp"))) ?? "";
    const heads = join(scratch, "refs/heads");
    const entries = await readdir(heads, { recursive: true, withFileTypes: true });
    const files = entries.filter((it) => it.isFile());
    pulled.push(files.map((it) => join(it.parentPath, it.name).slice(heads.length + 1)).sort());
    return "";
  };
  return { ctx: { ...scriptedContext(repo, []).ctx, read }, pulled };
}

test("an image with two kernels is refused before anything is written", async () => {
  const { repo } = await makeFileRepository();
  const { ctx, pulled } = makeContext(repo);
  const before = await readdir(repo);
  await expect(commitImage(ctx, requestOf(repo, ["6.1.0", "6.12.0"]))).rejects.toMatchObject({
    kind: "integrity",
    message: "the image has two kernels: 6.1.0, 6.12.0",
  });
  expect(pulled).toEqual([]);
  expect(await readdir(repo)).toEqual(before);
});

test("the image's ref, those of its layers and the protective one go in one transaction", async () => {
  const { repo } = await makeFileRepository();
  const { ctx, pulled } = makeContext(repo);
  await commitImage(ctx, requestOf(repo, ["6.12.0"]));
  const refs = [
    PROTECTIVE,
    `ostree/container/blob/sha256_3A_${"a".repeat(64)}`,
    "ostree/container/image/docker_3A__2F__2F_quay_2E_io/example/os",
  ];
  // Once more, since this ostree moved nothing and the layer's ref is missing still.
  expect(pulled).toEqual([refs, refs]);
});
