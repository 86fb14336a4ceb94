import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLibc } from "../../src/native/libc.ts";
import { formatDirmeta, objectPath, sha256 } from "../../src/ostree/objects.ts";
import { blobRef, pendingRef } from "../../src/ostree/ref-names.ts";
import { readDerivedSettings } from "../../src/pull/import/settings.ts";
import { commitImage } from "../../src/pull/merge/commit.ts";
import { mergeLayers } from "../../src/pull/merge/merge.ts";
import { readRef } from "../../src/repository/files.ts";
import { readImageCommit, writeCachedUpdate } from "../../src/repository/image-commit.ts";
import { CAPABILITY } from "./images/derived.ts";
import {
  type EncapsulationStyle,
  encapsulate,
  encapsulatedTars,
  listContent,
} from "./images/encapsulate.ts";
import { dir, file, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import {
  contextWith,
  createTestRepo,
  digestOf,
  forgetPull,
  importBlob,
  rootsOf,
  stockMerge,
  type TestRepo,
} from "./test-repo.ts";

const BASE: readonly TestEntry[] = [
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  dir("usr/lib"),
  dir("usr/lib/ostree"),
  file("usr/lib/ostree/prepare-root.conf", "[sysroot]\nreadonly=true\n"),
  dir("usr/etc"),
  file("usr/etc/passwd", "root:x:0:0::/root:/bin/sh\n", {
    xattrs: { "security.selinux": "system_u:object_r:etc_t:s0\0" },
  }),
  file("usr/bin/su", "su", { mode: 0o4755 }),
  file("usr/bin/ping", "ping", {
    mode: 0o755,
    xattrs: { "security.capability": CAPABILITY, "user.a": "1" },
  }),
  file("usr/lib/nobody", "n", { uid: 65534, gid: 65534 }),
  file("usr/lib/secret", "s", { mode: 0, xattrs: { "security.selinux": "a:b:c:s0\0" } }),
  file("usr/lib/empty"),
  file("usr/lib/big", Buffer.alloc(300_000, "random enough ")),
  symlink("usr/lib/link", "../..//sbin/x"),
  symlink("usr/lib/other", "link", { uid: 4, xattrs: { "security.selinux": "a:b:d:s0\0" } }),
  dir("usr/lib/private", { mode: 0o700 }),
  dir("usr/tmp", { mode: 0o1777 }),
  dir("sysroot"),
];

interface Base {
  readonly commit: string;
  readonly commitLayer: Buffer;
  readonly chunks: readonly Buffer[];
}

const CASES = ostreeVersions().flatMap((ostree) =>
  (["ours", "ostree"] as const).map((writer) => ({ ...ostree, writer })),
);

describe.each(CASES)("with ostree $version, written by $writer", ({ writer, ...ostree }) => {
  let it: TestRepo;
  let source: TestRepo;
  beforeEach(() => {
    it = createTestRepo(ostree);
    source = createTestRepo(ostree);
  });
  afterEach(() => {
    it.remove();
    source.remove();
  });

  async function makeBase(style: EncapsulationStyle): Promise<Base> {
    const { commit: tree } = await importBlob(source, makeTar(BASE));
    const commit = source.ostree(
      "commit",
      "--branch=os/base",
      `--tree=ref=${tree}`,
      "--subject=base",
      "--add-metadata-string=version=1",
      "--add-detached-metadata-string=signature=kept",
    );
    return { commit, ...encapsulatedTars(source, commit, { style, chunkCount: 3 }) };
  }

  /** For our own writer, with an ostree that refuses to commit. */
  function target(): TestRepo {
    if (writer === "ostree" || openLibc() === undefined) return it;
    return { ...it, ctx: contextWith(ostree, it, '[ "$1" != commit ] || exit 99') };
  }

  async function importBase({ commit, commitLayer, chunks }: Base): Promise<readonly string[]> {
    const to = target();
    const commits: string[] = [];
    for (const chunk of chunks)
      commits.push((await importBlob(to, chunk, { kind: "chunk", writer })).commit);
    const base = await importBlob(to, commitLayer, { kind: "commit", baseCommit: commit, writer });
    expect(base.commit).toBe(commit);
    return [commit, ...commits];
  }

  test.each(["v1", "newest"] as const)(
    "a base of style %s comes out as it went in",
    async (style) => {
      const base = await makeBase(style);
      const [, ...chunks] = await importBase(base);
      it.ostree("fsck", "--quiet");
      expect(listContent(it, base.commit)).toEqual(listContent(source, base.commit));
      expect(it.ostree("show", "--print-detached-metadata-key=signature", base.commit)).toBe(
        "'kept'",
      );
      for (const chunk of chunks) {
        const files = it.ostree("ls", "-C", chunk).split("\n").slice(1);
        // An object set's files are named by their checksums.
        for (const line of files) expect(line).toMatch(/([0-9a-f]{64}) .*\/\1/);
      }
      const refs = it.ostree("refs", "--list").split("\n").sort();
      expect(refs).toEqual(
        [base.commitLayer, ...base.chunks].map((blob) => pendingRef(digestOf(blob))).sort(),
      );
      expect(readdirSync(join(it.repo, "tmp"))).toEqual(["cache"]);
    },
  );

  test("derived layers over a base: merged as stock ostree does, parent and detached metadata kept", async () => {
    const base = await makeBase("newest");
    const commits = await importBase(base);
    const settings = await readDerivedSettings(it.ctx, { repo: it.repo, baseCommit: base.commit });
    expect(settings.filter.allowsNonUsr).toBe(false);
    expect(settings.selinuxPolicyDir).toBeUndefined();
    const layer = makeTar([
      dir("usr"),
      dir("usr/bin", { mode: 0o700 }),
      file("usr/bin/.wh.su"),
      file("usr/lib/link", "now a file"),
      file("etc/new", "n"),
      file("boot/x", "x"),
      file("tmp/y", "y"),
    ]);
    const derived = await importBlob(it, layer, { filter: settings.filter });
    await settings.release();
    expect([...derived.filtered]).toEqual([
      ["boot", 1],
      ["y", 1],
    ]);
    const request = { repo: it.repo, base: base.commit, derived: [derived.commit] };
    const merged = await mergeLayers(request);
    const blobs = [base.commitLayer, ...base.chunks, layer];
    const layers = [...commits, derived.commit].map((commit, i) => ({
      digest: digestOf(blobs[i] ?? Buffer.alloc(0)),
      commit,
    }));
    const image = {
      ...request,
      merged,
      layers,
      reference: "docker://example.com/os:1",
      manifestDigest: "sha256:12",
      manifest: JSON.stringify({ filler: "x".repeat(200_000) }),
      config: '{"architecture":"amd64"}',
      createdEpoch: 1_700_000_000,
      importerVersion: "test",
      version: "42",
    };
    const { commit } = await commitImage(it.ctx, image);
    await forgetPull(it);
    expect(rootsOf(it, commit)).toEqual(rootsOf(it, stockMerge(it, request)));
    expect(it.ostree("show", "--print-metadata-key=version", commit)).toBe("'42'");
    expect(it.ostree("show", "--print-detached-metadata-key=signature", base.commit)).toBe(
      "'kept'",
    );
    const read = await readImageCommit(it.repo, commit);
    expect(read).toMatchObject({
      manifestDigest: "sha256:12",
      manifest: image.manifest,
      config: image.config,
      parent: base.commit,
      createdEpoch: 1_700_000_000,
      cachedUpdate: undefined,
    });
    for (const { digest, commit } of layers)
      expect(await readRef(it.repo, blobRef(digest))).toBe(commit);
    it.ostree("prune", "--refs-only", "--depth=0");
    it.ostree("fsck", "--quiet");

    const update = { manifestDigest: "sha256:34", manifest: "{}", config: "{}" };
    await writeCachedUpdate(it.ctx, { repo: it.repo, commit }, update);
    expect((await readImageCommit(it.repo, commit))?.cachedUpdate).toEqual(update);
    await writeCachedUpdate(it.ctx, { repo: it.repo, commit }, undefined);
    expect((await readImageCommit(it.repo, commit))?.cachedUpdate).toBeUndefined();
    it.ostree("fsck", "--quiet");
    expect(readdirSync(join(it.repo, "tmp"))).toEqual(["cache"]);
  });

  async function expectRefused(
    entries: readonly TestEntry[],
    kind: "chunk" | "commit",
    what: object,
  ) {
    const failure = await importBlob(target(), makeTar(entries), { kind, writer }).catch(
      (error) => error,
    );
    expect(failure).toMatchObject(what);
    expect(it.ostree("refs", "--list")).toBe("");
    expect(existsSync(join(it.repo, "refs/heads/bootc-pull/unverified"))).toBe(
      existsSync(join(it.repo, "refs/heads/bootc-pull")),
    );
  }

  test("damaged, incomplete and foreign layers are refused, and leave no ref", async () => {
    const { commit } = await makeBase("newest");
    const { commitLayer, chunks } = encapsulate(source, commit, { style: "newest", chunkCount: 1 });
    const chunk = chunks[0] ?? [];
    const at = chunk.findIndex(
      (entry) => entry.path.endsWith(".file") && entry.content !== undefined,
    );
    const integrity = { kind: "integrity" };
    // First, because objects of refused layers may stay until the next clean-up: here its chunk is missing.
    await expectRefused(commitLayer, "commit", integrity);
    const flipped = chunk.map((entry, i) => (i === at ? { ...entry, content: "else" } : entry));
    await expectRefused(flipped, "chunk", integrity);
    await expectRefused(
      chunk.map((entry, i) => (i === at ? { ...entry, mode: 0o600 } : entry)),
      "chunk",
      integrity,
    );
    await expectRefused(
      chunk.filter((_, i) => i !== at - 1),
      "chunk",
      integrity,
    );
    await expectRefused([...chunk, ...chunk.slice(at - 1, at + 1)], "chunk", integrity);
    await expectRefused(commitLayer, "chunk", integrity);
    await expectRefused(chunk, "commit", integrity);
    const isMeta = ({ path }: TestEntry) => path.endsWith(".dirmeta");
    const ofFile = formatDirmeta({ uid: 0, gid: 0, mode: 0o100644, xattrs: [] });
    const wrongMeta = file(`sysroot/ostree/repo/${objectPath(sha256(ofFile), "dirmeta")}`, ofFile);
    await expectRefused([...commitLayer.filter(isMeta), wrongMeta], "commit", integrity);
    await expectRefused([...commitLayer, wrongMeta], "commit", integrity);
    const v0 = [...chunk, file("sysroot/ostree/repo/xattrs/00", "x")];
    await expectRefused(v0, "chunk", { kind: "unsupported" });
  });
});
