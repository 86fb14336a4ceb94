import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAtLeast } from "../../src/programs/ostree/version.ts";
import { commitImage } from "../../src/pull/merge/commit.ts";
import { beginMerge, mergeLayers } from "../../src/pull/merge/merge.ts";
import { readImageCommit } from "../../src/repository/image-commit.ts";
import { derivedImages } from "./images/derived.ts";
import { makeTar } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import {
  createTestRepo,
  digestOf,
  forgetPull,
  importBlob,
  rootsOf,
  stockMerge,
  type TestRepo,
} from "./test-repo.ts";

describe.each(ostreeVersions())("with ostree $version", (ostree) => {
  let it: TestRepo;
  beforeAll(() => {
    it = createTestRepo(ostree);
  });
  afterAll(() => it.remove());

  const images = derivedImages().filter(
    ({ needsOstree }) => needsOstree === undefined || isAtLeast(ostree.version, needsOstree),
  );

  test.each(images)("$name: merged as stock ostree does", async ({ name, layers }) => {
    const blobs = layers.map(makeTar);
    const derived: string[] = [];
    for (const blob of blobs) derived.push((await importBlob(it, blob)).commit);
    const merged = await mergeLayers({ repo: it.repo, derived });
    const { commit } = await commitImage(it.ctx, {
      repo: it.repo,
      derived,
      merged,
      reference: `docker://example.com/${name.replaceAll(/\W+/g, "-")}:1`,
      layers: blobs.map((blob, i) => ({ digest: digestOf(blob), commit: derived[i] ?? "" })),
      manifestDigest: "sha256:00",
      manifest: '{"layers":[]}',
      config: "{}",
      createdEpoch: 1,
      importerVersion: "test",
    });
    expect(rootsOf(it, commit)).toEqual(rootsOf(it, stockMerge(it, { derived })));
    expect((await readImageCommit(it.repo, commit))?.manifest).toBe('{"layers":[]}');
  });

  test.each(images)("$name: merged alike wherever the merge began", async ({ layers }) => {
    const derived: string[] = [];
    for (const layer of layers) derived.push((await importBlob(it, makeTar(layer))).commit);
    const request = { repo: it.repo, derived };
    const whole = await mergeLayers(request);
    for (const [count] of layers.entries()) {
      const begun = await beginMerge({ repo: it.repo, derived: derived.slice(0, count) });
      expect(await mergeLayers(request, begun)).toEqual(whole);
    }
  });

  test("a merge that began with other layers is not continued", async () => {
    const [first, second] = images;
    if (first === undefined || second === undefined) throw new Error("unreachable: two images");
    const commitOf = async (layer: Parameters<typeof makeTar>[0] | undefined) =>
      (await importBlob(it, makeTar(layer ?? []))).commit;
    const derived = [await commitOf(first.layers[0])];
    const begun = await beginMerge({
      repo: it.repo,
      derived: [await commitOf(second.layers[0]), ...derived],
    });
    const request = { repo: it.repo, derived };
    const asBase = await beginMerge({ repo: it.repo, base: derived[0], derived: [] });
    const whole = await mergeLayers(request);
    expect(await mergeLayers(request, begun)).toEqual(whole);
    expect(await mergeLayers(request, asBase)).toEqual(whole);
  });

  test("afterwards the repository is sound, and only the images' refs are left", async () => {
    await forgetPull(it);
    it.ostree("fsck", "--quiet");
    const refs = it.ostree("refs", "--list").split("\n");
    expect(refs.filter((ref) => !/^ostree\/container\/(blob|image)\//.test(ref))).toEqual([]);
    expect(refs.filter((ref) => ref.startsWith("ostree/container/image/"))).toHaveLength(
      images.length,
    );
  });
});
