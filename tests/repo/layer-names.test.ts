// Layers get further names in a real repository, all of them by one process.
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../../src/image/config.ts";
import { parseImageManifest } from "../../src/image/manifest.ts";
import { blobRef } from "../../src/ostree/ref-names.ts";
import { nameLayers } from "../../src/repository/layer-names.ts";
import { makeImage, makeLayer } from "../../src/testing/stored-image.ts";
import { allOstreeVersions, describeEachOstree } from "./ostree-versions.ts";
import { contextWith, createTestRepo, type TestRepo } from "./test-repo.ts";

const NAMES = ["a", "b", "c"];

describeEachOstree((ostree) => {
  let it: TestRepo;
  beforeEach(() => {
    it = createTestRepo(ostree);
  });
  afterEach(() => it.remove());

  /** Makes a commit, and names it `ref`. */
  function commit(ref: string): string {
    const words = [
      "--orphan",
      `--tree=dir=${mkdtempSync(join(it.work, "tree-"))}`,
      `--subject=${ref}`,
    ];
    const checksum = it.ostree("commit", ...words);
    it.ostree("refs", `--create=${ref}`, checksum);
    return checksum;
  }

  test("layers get their new names together, those of other images none", async () => {
    const layers = NAMES.map((name) => makeLayer(name));
    const commits = layers.map(({ digest }) => commit(blobRef(digest)));
    const { manifestDigest, manifest, config } = makeImage(layers);
    const stored = {
      ...{ commit: "0".repeat(64), manifestDigest },
      ...{ manifest: parseImageManifest(manifest), config: parseConfig(config) },
    };
    const renamed = NAMES.map((name, i) => ({
      digest: makeLayer(name, "zstd").digest,
      commit: commits[i] ?? "",
    }));
    const other = { digest: makeLayer("x").digest, commit: commit("another") };
    const calls = join(it.work, "calls");
    const ctx = contextWith(ostree, it, `echo "$1" >>${calls}`);
    await nameLayers(ctx, it.repo, { stored, layers: [...renamed, other] });
    for (const { digest, commit } of renamed) {
      expect(it.ostree("rev-parse", blobRef(digest))).toBe(commit);
    }
    expect(it.ostree("refs")).not.toContain(blobRef(other.digest));
    expect(readFileSync(calls, "utf8")).toBe("pull-local\n");
    it.ostree("fsck", "--quiet");
    await nameLayers(ctx, it.repo, { stored, layers: renamed });
    expect(readFileSync(calls, "utf8")).toBe("pull-local\n");
  });
}, allOstreeVersions());
