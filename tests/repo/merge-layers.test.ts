// Layers that build tools make, merged as podman shows them: trees in, one tree out.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commitImage } from "../../src/pull/commit.ts";
import { type MergedTree, mergeLayers } from "../../src/pull/merge.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { machineOstree } from "./ostree-versions.ts";
import { createTestRepo, importBlob, type TestRepo } from "./test-repo.ts";

type Layer = readonly TestEntry[];

const usr = [dir("."), dir("usr"), dir("usr/lib")];
const device = (path: string): TestEntry => ({ path, type: "character" });
const fifo = (path: string): TestEntry => ({ path, type: "fifo" });

describe.each(["bare", "archive"])("in a repository of mode %s", (mode) => {
  let it: TestRepo;
  beforeAll(() => {
    it = createTestRepo(machineOstree(), mode);
  });
  afterAll(() => it.remove());

  async function merge(layers: readonly Layer[]): Promise<MergedTree & { readonly paths: string }> {
    const derived: string[] = [];
    for (const layer of layers) derived.push((await importBlob(it, makeTar(layer))).commit);
    const request = { repo: it.repo, derived };
    const merged = await mergeLayers(it.ctx, request);
    const { commit } = await commitImage(it.ctx, {
      ...request,
      merged,
      reference: "docker://example.com/os:1",
      layers: [],
      manifestDigest: "sha256:00",
      manifest: "{}",
      config: "{}",
      createdEpoch: 1,
      importerVersion: "test",
    });
    const listed = it.ostree("ls", "-R", commit).split("\n");
    const paths = listed.map((line) => line.replace(/^.{6} \d+ \d+ +\d+ \//, ""));
    return { ...merged, paths: paths.filter((path) => !/^(usr(\/lib)?)?$/.test(path)).join(", ") };
  }

  test.each<[string, Layer, string]>([
    ["a device node and a fifo", [device("usr/lib/a"), fifo("usr/lib/d")], "usr/lib/b"],
    [
      "a hard link to a device node",
      [device("usr/lib/x"), hardlink("usr/lib/a", "usr/lib/x")],
      "usr/lib/b, usr/lib/d, usr/lib/d/f",
    ],
    [
      "a device node, and a file in its place",
      [device("usr/lib/a"), file("usr/lib/a", "new")],
      "usr/lib/a, usr/lib/b, usr/lib/d, usr/lib/d/f",
    ],
    [
      "a device node with the name of a whiteout",
      [device("usr/lib/.wh.a")],
      "usr/lib/b, usr/lib/d, usr/lib/d/f",
    ],
    [
      "a symbolic link with the name of a whiteout",
      [symlink("usr/lib/.wh.a", "b")],
      "usr/lib/.wh.a -> b, usr/lib/a, usr/lib/b, usr/lib/d, usr/lib/d/f",
    ],
  ])("over lower files: %s", async (_, layer, want) => {
    const files = [file("usr/lib/a", "a"), file("usr/lib/b", "b"), dir("usr/lib/d")];
    const lower = [...usr, ...files, file("usr/lib/d/f", "f")];
    expect((await merge([lower, layer])).paths).toBe(want);
  });

  test("a device node in the place of a file of the same layer is refused", async () => {
    const layer = [file("usr/lib/a", "a"), device("usr/lib/a")];
    await expect(merge([layer])).rejects.toThrow("cannot be imported");
  });

  test("afterwards the repository is sound", () => {
    it.ostree("fsck", "--quiet");
  });
});
