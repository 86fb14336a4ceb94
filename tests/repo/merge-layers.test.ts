// Layers as build tools make them, merged to the tree that podman shows.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseOstreeReference } from "../../src/image/reference.ts";
import { commitImage } from "../../src/pull/merge/commit.ts";
import { type MergedTree, mergeLayers } from "../../src/pull/merge/merge.ts";
import { planPull } from "../../src/pull/plan/plan.ts";
import { pullImage } from "../../src/pull/pull.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { machineOstree } from "./ostree-versions.ts";
import { createTestRepo, importBlob, type TestRepo } from "./test-repo.ts";
import { makeTinyImage } from "./tiny-image.ts";

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
    const merged = await mergeLayers(request);
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

  test("a device node in place of a file of the same layer is refused", async () => {
    const layer = [file("usr/lib/a", "a"), device("usr/lib/a")];
    await expect(merge([layer])).rejects.toThrow("cannot be imported");
  });

  test("an entry below a link of the merged /usr goes where the link leads", async () => {
    const lower = [...usr, symlink("lib", "usr/lib"), file("usr/lib/a", "a")];
    const layer = [file("lib/foo", "foo"), file("lib/.wh.a")];
    const { paths, replacedLinks } = await merge([lower, layer]);
    expect(paths).toBe("lib -> usr/lib, usr/lib/foo");
    expect([...replacedLinks]).toEqual([]);
  });

  test("a warning names any other link that a directory replaces", async () => {
    const lower = [...usr, dir("var"), dir("var/opt"), symlink("opt", "var/opt")];
    const { paths, replacedLinks } = await merge([lower, [file("opt/foo", "foo")]]);
    expect(paths).toBe("opt, opt/foo, var, var/opt");
    expect([...replacedLinks]).toEqual([["opt", "/var/opt"]]);
  });

  test.each<[string, Layer, string]>([
    [
      "whiteouts before the link that takes the place of their directory",
      [file("usr/d/.wh.f"), file("usr/d/sub/.wh.x"), symlink("usr/d", "e")],
      "usr/d -> e, usr/e, usr/e/f",
    ],
    [
      "whiteouts before the file that takes the place of their directory",
      [file("usr/d/.wh.f"), file("usr/d", "now a file")],
      "usr/d, usr/e, usr/e/f",
    ],
    [
      "whiteouts behind the link, in no directory of the layer",
      [symlink("usr/d", "e"), file("usr/d/.wh.f")],
      "usr/d -> e, usr/e, usr/e/f",
    ],
    [
      "whiteouts behind the link, in a directory of the layer",
      [dir("usr/e"), symlink("usr/d", "/usr/./e"), file("usr/d/.wh.f")],
      "usr/d -> /usr/./e, usr/e",
    ],
    [
      "whiteouts in a directory that is not mentioned",
      [file("usr/d/.wh.f"), file("usr/e/g/.wh.h"), file("usr/e/f", "new")],
      "usr/d, usr/d/sub, usr/d/sub/x, usr/e, usr/e/f, usr/e/g",
    ],
    [
      "whiteouts before their directory and what is in it",
      [file("usr/d/.wh.f"), file("usr/d/new", "new"), dir("usr/d"), file("usr/d/sub/.wh.x")],
      "usr/d, usr/d/new, usr/d/sub, usr/e, usr/e/f",
    ],
    [
      "a hard link through a link of the layer",
      [symlink("usr/l", "../usr/n"), file("usr/n/a", "a"), hardlink("usr/b", "usr/l/a")],
      "usr/b, usr/l -> ../usr/n, usr/d, usr/d/f, usr/d/sub, usr/d/sub/x, usr/e, usr/e/f, usr/n, usr/n/a",
    ],
    [
      "a device node below the link that takes the place of its directory",
      [device("usr/d/f"), symlink("usr/d", "e"), device("usr/d/g")],
      "usr/d -> e, usr/e, usr/e/f",
    ],
  ])("over lower directories: %s", async (_, layer, want) => {
    const lower = [...usr, dir("usr/d"), file("usr/d/f"), dir("usr/d/sub"), file("usr/d/sub/x")];
    expect((await merge([[...lower, dir("usr/e"), file("usr/e/f")], layer])).paths).toBe(want);
  });

  test.each<[string, Layer]>([
    ["a hard link to a file of a lower layer", [hardlink("usr/lib/b", "usr/lib/a")]],
    [
      "a hard link through a link of a lower layer",
      [file("usr/lib/n", "n"), hardlink("usr/lib/b", "lib/n")],
    ],
    ["a hard link through a circle", [symlink("usr/x", "x"), hardlink("usr/b", "usr/x/a")]],
    ["an entry below a link", [symlink("usr/x", "lib"), file("usr/x/a", "a")]],
    ["a whiteout below a file", [file("usr/x", "x"), file("usr/x/.wh.a")]],
  ])("refused: %s", async (_, layer) => {
    const lower = [...usr, file("usr/lib/a", "a"), symlink("lib", "usr/lib")];
    await expect(merge([lower, layer])).rejects.toThrow("cannot be imported");
  });

  test("afterwards the repository is intact", () => {
    it.ostree("fsck", "--quiet");
  });
});

test("a pull says once which links gave way to directories", async () => {
  const it = createTestRepo(machineOstree());
  try {
    const links = ["a", "b", "c", "d", "e", "f"].map((name) => symlink(`usr/${name}`, "lib"));
    const files = ["a", "b", "c", "d", "e", "f"].map((name) => file(`usr/${name}/x`));
    const oci = join(it.work, "image");
    await mkdir(oci);
    const layers = [makeTar([...usr, ...links]), makeTar(files), makeTar([file("usr/a/y")])];
    await makeTinyImage(oci, "os", { layers });
    const notes: string[] = [];
    const ctx = { ...it.ctx, note: (line: string) => void notes.push(line) };
    const reference = parseOstreeReference(`ostree-unverified-image:oci:${oci}:os`);
    const request = { repo: it.repo, reference, requiresBootable: false };
    await pullImage(ctx, await planPull(ctx, request));
    expect(notes).toEqual([
      "warning: layers have directories in place of symbolic links: /usr/a (to /usr/lib), " +
        "/usr/b (to /usr/lib), /usr/c (to /usr/lib), /usr/d (to /usr/lib), /usr/e (to /usr/lib) and 1 more",
    ]);
  } finally {
    it.remove();
  }
});
