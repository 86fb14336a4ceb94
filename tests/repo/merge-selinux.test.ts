import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readDerivedSettings } from "../../src/pull/import/settings.ts";
import { commitImage } from "../../src/pull/merge/commit.ts";
import { type MergeRequest, mergeLayers } from "../../src/pull/merge/merge.ts";
import { encapsulatedTars } from "./images/encapsulate.ts";
import { selinuxPolicy } from "./images/selinux-policy.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo, forgetPull, importBlob, rootsOf, type TestRepo } from "./test-repo.ts";

const SYSTEM: readonly TestEntry[] = [
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/su", "su", { mode: 0o4755 }),
  dir("usr/lib"),
  file("usr/lib/libx.so.1", "lib"),
  symlink("usr/lib/libx.so", "libx.so.1"),
  dir("usr/share"),
];

const LAYER: readonly TestEntry[] = [
  dir("usr"),
  dir("usr/sbin"),
  // A label of the build host, which the policy overrides.
  file("usr/sbin/sshd", "sshd", {
    mode: 0o755,
    xattrs: { "security.selinux": "build_u:object_r:x_t:s0\0" },
  }),
  hardlink("usr/sbin/sshd-too", "usr/sbin/sshd"),
  file("usr/bin/.wh.su"),
  dir("etc"),
  file("etc/shadow", "root:*", { mode: 0 }),
  dir("var"),
  dir("var/log"),
  file("var/log/app"),
];

describe.each(ostreeVersions())("with ostree $version", (ostree) => {
  let it: TestRepo;
  beforeEach(() => {
    it = createTestRepo(ostree);
  });
  afterEach(() => it.remove());

  async function mergeAndCommit(request: MergeRequest): Promise<string> {
    const merged = await mergeLayers(request);
    const { commit } = await commitImage(it.ctx, {
      ...request,
      merged,
      reference: "docker://example.com/os:1",
      layers: [],
      manifestDigest: "sha256:12",
      manifest: "{}",
      config: "{}",
      createdEpoch: 0,
      importerVersion: "test",
    });
    expect(it.ostree("refs", "--list", "bootc-pull/tree")).toBe("");
    await forgetPull(it);
    return commit;
  }

  /** A checkout of all layers, committed with the policy it holds. */
  function stockLabelled({ base, derived }: MergeRequest): string {
    const top = mkdtempSync(join(it.repo, "tmp", "stock-"));
    const root = join(top, "root");
    if (base !== undefined) it.ostree("checkout", "--union", base, root);
    for (const layer of derived) it.ostree("checkout", "--union", "--whiteouts", layer, root);
    const commit = it.ostree(
      "commit",
      "--orphan",
      "--no-bindings",
      `--tree=dir=${root}`,
      `--selinux-policy=${root}`,
    );
    rmSync(top, { recursive: true });
    return commit;
  }

  function labels(commit: string): string {
    return it.ostree("ls", "-R", "-X", commit);
  }

  test("derived layers without a base are labelled by their own policy", async () => {
    const layers = [[...SYSTEM, dir("etc"), ...selinuxPolicy("etc")], LAYER];
    const derived: string[] = [];
    for (const layer of layers) derived.push((await importBlob(it, makeTar(layer))).commit);
    const commit = await mergeAndCommit({ repo: it.repo, derived });
    const stock = stockLabelled({ repo: it.repo, derived });
    expect(labels(commit)).toBe(labels(stock));
    expect(rootsOf(it, commit)).toEqual(rootsOf(it, stock));
    expect(labels(commit)).toMatch(
      /shadow_t[^\n]*\/usr\/etc\/shadow|etc_t[^\n]*\/usr\/etc\/shadow/,
    );
    expect(labels(commit)).not.toContain("build_u");
    it.ostree("fsck", "--quiet");
  });

  test("derived layers over a labelled base are labelled by its policy during the import", async () => {
    const source = createTestRepo(ostree);
    const entries = [...SYSTEM, dir("usr/etc"), ...selinuxPolicy("usr/etc")];
    const { commit: unlabelled } = await importBlob(source, makeTar(entries));
    const root = join(source.work, "root");
    source.ostree("checkout", unlabelled, root);
    const args = ["--orphan", "--no-bindings", `--tree=dir=${root}`, `--selinux-policy=${root}`];
    const base = source.ostree("commit", ...args);
    const { commitLayer, chunks } = encapsulatedTars(source, base, {
      style: "newest",
      chunkCount: 1,
    });
    for (const chunk of chunks) await importBlob(it, chunk, { kind: "chunk" });
    await importBlob(it, commitLayer, { kind: "commit" });
    source.remove();

    const { filter, selinuxPolicyDir, release } = await readDerivedSettings(it.ctx, {
      repo: it.repo,
      baseCommit: base,
    });
    const layer = await importBlob(it, makeTar(LAYER), { filter, selinuxPolicyDir });
    await release();
    expect(labels(layer.commit)).toContain("security.selinux");
    expect(labels(layer.commit)).not.toContain("build_u");

    const request = { repo: it.repo, base, derived: [layer.commit] };
    const commit = await mergeAndCommit(request);
    const stock = stockLabelled(request);
    expect(labels(commit)).toBe(labels(stock));
    expect(rootsOf(it, commit)).toEqual(rootsOf(it, stock));
    it.ostree("fsck", "--quiet");
  });
});
