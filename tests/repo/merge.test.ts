import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAtLeast } from "../../src/programs/ostree-version.ts";
import { commitImage, readImageCommit } from "../../src/pull/commit.ts";
import { mergeLayers } from "../../src/pull/merge.ts";
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
    const merged = await mergeLayers(it.ctx, { repo: it.repo, derived });
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
