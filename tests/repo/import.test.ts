import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BootcError } from "../../src/errors.ts";
import { pendingRef } from "../../src/ostree/ref-names.ts";
import { readRef } from "../../src/repository/files.ts";
import { createContext } from "../../src/system/run.ts";
import { derivedImages } from "./images/derived.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo, digestOf, importBlob as importBy, type TestRepo } from "./test-repo.ts";

const ENTRIES = [
  dir("."),
  dir("usr"),
  file("usr/a", "a"),
  file("usr/b", Buffer.alloc(100_000, "b")),
];
const TAR = makeTar(ENTRIES);
const NOTHING = Buffer.alloc(0);
/** Frames that decoders skip, as zstd:chunked and others append them. */
const SKIPPED = Buffer.concat([Buffer.from("502a4d1805000000", "hex"), Buffer.from("hello")]);

const cases = ostreeVersions().flatMap((ostree) =>
  (["ours", "ostree"] as const).map((writer) => ({ ...ostree, writer })),
);

describe.each(cases)("with ostree $version, written by $writer", ({ writer, ...ostree }) => {
  let it: TestRepo;
  beforeAll(() => {
    it = createTestRepo(ostree);
  });
  afterAll(() => it.remove());

  const importBlob: typeof importBy = (repo, blob, more) =>
    importBy(repo, blob, { writer, ...more });

  test.each([
    ["nothing", TAR],
    ["gzip", gzipSync(TAR)],
    [
      "gzip in two members",
      Buffer.concat([gzipSync(TAR.subarray(0, 700)), gzipSync(TAR.subarray(700))]),
    ],
    ["zstd", zstdCompressSync(TAR)],
    ["zstd with trailing frames", Buffer.concat([zstdCompressSync(TAR), SKIPPED, SKIPPED])],
    ["zstd after a skipped frame", Buffer.concat([SKIPPED, zstdCompressSync(TAR)])],
  ])("compressed by %s", async (_, blob) => {
    const layer = await importBlob(it, blob, { diffId: digestOf(TAR) });
    expect(layer.diffId).toBe(digestOf(TAR));
    expect(it.ostree("ls", "-R", layer.commit)).toMatch(/100000 \/usr\/b$/);
    expect(await readRef(it.repo, pendingRef(digestOf(blob)))).toBe(layer.commit);
    expect(it.ostree("rev-parse", pendingRef(digestOf(blob)))).toBe(layer.commit);
  });

  test.each([
    ["nothing", NOTHING],
    ["gzip", gzipSync(NOTHING)],
    ["zstd", zstdCompressSync(NOTHING)],
  ])("a layer of no bytes is empty if its diff-id says so, compressed by %s", async (_, blob) => {
    const layer = await importBlob(it, blob, {
      diffId: digestOf(NOTHING),
      layerDigest: "sha256:nothing",
    });
    expect(it.ostree("ls", "-R", layer.commit)).toMatch(/^d00755 0 0 +0 \/$/);
  });

  test("a blob may come as a stream, under a ref named by the manifest's digest", async () => {
    const layer = await importBlob(it, TAR, {
      blob: Readable.from([TAR]),
      layerDigest: "sha256:abc",
    });
    expect(it.ostree("rev-parse", pendingRef("sha256:abc"))).toBe(layer.commit);
  });

  test("a layer's commit says which importer made it, and nothing else", async () => {
    const { commit } = await importBlob(it, TAR);
    const shown = it.ostree("show", "--raw", commit);
    expect(shown).toContain("{'ostree.importer.version': <'test'>}");
    expect(it.ostree("show", "--print-metadata-key=ostree.importer.version", commit)).toBe(
      "'test'",
    );
  });

  test("a tar by GNU tar, with all its peculiarities but sparse headers, is stored as GNU tar unpacks it", async () => {
    const tree = join(it.work, "tree");
    execFileSync("mkdir", ["-p", join(tree, "usr", "d".repeat(120)), join(tree, "etc")]);
    writeFileSync(join(tree, "usr", "d".repeat(120), "n".repeat(120)), "long");
    writeFileSync(join(tree, "etc", "ž"), "utf-8");
    execFileSync("ln", [join(tree, "etc", "ž"), join(tree, "usr", "link")]);
    for (const format of ["gnu", "pax", "ustar", "oldgnu"]) {
      const args = [`--format=${format}`, "--owner=0", "--group=0", "-C", tree, "-cf", "-"];
      const what = format === "ustar" ? ["./etc", "./usr/link"] : ["."];
      const tar = execFileSync("tar", [...args, ...what]);
      const { commit } = await importBlob(it, tar);
      const listed = it.ostree("ls", "-R", commit);
      expect(listed).toContain("5 /usr/etc/ž");
      expect(listed).toContain("5 /usr/link");
      if (format !== "ustar")
        expect(listed).toContain(`4 /usr/${"d".repeat(120)}/${"n".repeat(120)}`);
    }
  });

  test("entries that have no place in a commit are left out and counted", async () => {
    const entries: readonly TestEntry[] = [
      dir("boot"),
      file("boot/x", "x"),
      dir("run"),
      file("run/some/file", "x"),
      file("var/lib/x", "x"),
      { path: "usr/pipe", type: "fifo" },
      { path: "usr/null", type: "character" },
      hardlink("usr/null2", "usr/null"),
      hardlink("var/lib/y", "var/lib/x"),
    ];
    const filter = { allowsNonUsr: false, retainsVar: false };
    const layer = await importBlob(it, makeTar(entries), { filter });
    expect(Object.fromEntries(layer.filtered)).toEqual({ boot: 2, some: 1 });
    expect(layer.specialFiles).toBe(3);
    const paths = it.ostree("ls", "-R", "--nul-filenames-only", layer.commit).split("\0");
    expect(paths.filter((path) => path.includes("lib/"))).toEqual([
      "/usr/share/factory/var/lib/x",
      "/usr/share/factory/var/lib/y",
    ]);
    expect(paths).toContain("/run");
  });

  test.each<[string, readonly TestEntry[]]>([
    ["a path that leaves its directory", [file("usr/../../x")]],
    ["a link target that leaves its directory", [file("usr/x"), hardlink("usr/y", "../usr/x")]],
    ["a file, then a directory", [file("usr/x"), dir("usr/x")]],
    ["a directory, then a file", [dir("usr/x"), file("usr/x")]],
    ["an implied directory, then a link", [file("usr/x/y"), symlink("usr/x", "z")]],
    ["an entry below a symbolic link", [symlink("lib", "usr/lib"), file("lib/foo")]],
    ["an entry below a file", [file("usr/x"), file("usr/x/y")]],
    ["a hard link to nothing", [hardlink("usr/x", "usr/y")]],
    ["a hard link to a directory", [dir("usr/y"), hardlink("usr/x", "usr/y")]],
    ["a hard link to itself", [hardlink("usr/x", "usr/x")]],
    ["hard links in a circle", [hardlink("usr/x", "usr/y"), hardlink("usr/y", "usr/x")]],
    ["a symbolic link without a target", [symlink("usr/x", "")]],
    ["a name too long for a file system", [file(`usr/${"x".repeat(256)}`)]],
    [
      "capabilities that are none",
      [file("usr/x", "x", { xattrs: { "security.capability": "no" } })],
    ],
    ["an attribute of no namespace", [file("usr/x", "x", { xattrs: { odd: "no" } })]],
    [
      "a user's attribute on a symbolic link",
      [symlink("usr/x", "y", { xattrs: { "user.a": "1" } })],
    ],
    [
      "an attribute of directories alone on a file",
      [file("usr/x", "x", { xattrs: { "system.posix_acl_default": "1" } })],
    ],
    ["a root that is a file", [file(".", "x")]],
  ])("refused: %s", async (_, entries) => {
    await expectRefused(makeTar(entries));
  });

  test.each<[string, Buffer, object]>([
    ["another digest", TAR, { digest: digestOf(Buffer.from("other")) }],
    ["another size", TAR, { sizeBytes: TAR.length + 1 }],
    ["a smaller size", TAR, { sizeBytes: 1000 }],
    ["another diff-id", TAR, { diffId: digestOf(Buffer.from("other")) }],
    ["a cut gzip stream", gzipSync(TAR).subarray(0, -20), {}],
    ["a cut zstd stream", zstdCompressSync(TAR).subarray(0, -5), {}],
    ["garbage after gzip", Buffer.concat([gzipSync(TAR), Buffer.from("garbage")]), {}],
    ["zeros after gzip", Buffer.concat([gzipSync(TAR), Buffer.alloc(99)]), {}],
    ["garbage after zstd", Buffer.concat([zstdCompressSync(TAR), Buffer.from("garbage")]), {}],
    ["an entry after one block of zeros", Buffer.concat([TAR.subarray(0, -512), TAR]), {}],
    ["a tar cut inside an entry", TAR.subarray(0, 50_000), {}],
    ["a tar cut between entries", TAR.subarray(0, 1024), {}],
    ["an empty blob", Buffer.alloc(0), {}],
    ["no tar at all", Buffer.from("x".repeat(2000)), {}],
    ["a name that is not UTF-8", withName(Buffer.from([0x75, 0x2f, 0xff, 0xfe])), {}],
  ])("refused: %s", async (_, blob, request) => {
    await expectRefused(blob, request);
  });

  async function expectRefused(blob: Buffer, request: object = {}): Promise<void> {
    const before = it.ostree("refs", "--list");
    const failure = await importBlob(it, blob, request).catch((error) => error);
    expect(failure).toBeInstanceOf(BootcError);
    expect(failure.kind).toBe("integrity");
    expect(it.ostree("refs", "--list")).toBe(before);
  }

  test("no room: the error says so, and nothing becomes visible", async () => {
    it.ostree("config", "set", "core.min-free-space-size", "9999TB");
    const before = it.ostree("refs", "--list");
    try {
      const failure = await importBlob(it, TAR).catch((error) => error);
      expect(failure).toMatchObject({ name: "BootcError", kind: "space" });
    } finally {
      it.ostree("config", "unset", "core.min-free-space-size");
    }
    expect(it.ostree("refs", "--list")).toBe(before);
    await importBlob(it, TAR);
  });

  test("an interrupted import stops at once, and nothing becomes visible", async () => {
    const abort = new AbortController();
    const ctx = createContext({ env: ostree.env, signal: abort.signal });
    const stalling = Readable.from(
      (async function* () {
        yield TAR.subarray(0, 2000);
        await new Promise(() => {});
      })(),
    );
    const before = it.ostree("refs", "--list");
    setTimeout(() => abort.abort(new BootcError("interrupted")), 50);
    const failure = await importBlob({ ...it, ctx }, TAR, { blob: stalling }).catch(
      (error) => error,
    );
    expect(failure.cause.message).toBe("interrupted");
    expect(it.ostree("refs", "--list")).toBe(before);
  });

  test("mutated layers: imported, or refused with a kind, and then without a ref", async () => {
    const originals = derivedImages()
      .filter(({ name }) => !/small files|layers/.test(name))
      .flatMap(({ layers }) => layers.map(makeTar));
    const mutation = fc.record({
      which: fc.nat(),
      edits: fc.array(
        fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      isChecksumRight: fc.boolean(),
      cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 6 }),
    });
    const seen = { imported: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(mutation, async ({ which, edits, isChecksumRight, cut }) => {
        const blob = Buffer.from(originals[which % originals.length] ?? TAR);
        for (const { at, byte } of edits) blob[Math.floor(at * (blob.length - 1025))] = byte;
        if (isChecksumRight) mendChecksums(blob);
        const tar = cut === null ? blob : blob.subarray(0, Math.floor(cut * blob.length));
        const ref = pendingRef(digestOf(tar));
        const outcome = await importBlob(it, tar).catch((error) => error);
        const hasRef = it.ostree("refs", "--list", ref) !== "";
        if (outcome instanceof BootcError) {
          expect(outcome.kind).toBe("integrity");
          expect(hasRef).toBe(false);
          seen.refused++;
        } else {
          expect(outcome.commit).toMatch(/^[0-9a-f]{64}$/);
          expect(hasRef).toBe(true);
          seen.imported++;
        }
      }),
      { numRuns: 110, seed: 1, interruptAfterTimeLimit: 400_000, markInterruptAsFailure: true },
    );
    expect(seen.refused).toBeGreaterThan(20);
    it.ostree("fsck", "--quiet");
  });

  test("random bytes are refused", async () => {
    const random = createRandom(7);
    for (let i = 0; i < 20; i++) await expectRefused(randomBytes(random, 1 + random(4000)));
  });
});

/** A tar of one file whose name is these bytes. */
function withName(name: Buffer): Buffer {
  const tar = makeTar([file("x")]);
  tar.fill(0, 0, 100);
  name.copy(tar);
  mendChecksums(tar);
  return tar;
}

/** Makes every header's checksum right again, so that a reader looks at the changed fields. */
function mendChecksums(tar: Buffer): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    if (tar.toString("latin1", at + 257, at + 262) !== "ustar") continue;
    tar.fill(0x20, at + 148, at + 156);
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
  }
}
