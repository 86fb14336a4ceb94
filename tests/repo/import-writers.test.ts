// Layers that we write ourselves equal those that `ostree commit` makes from the same tar.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openLibc } from "../../src/native/libc.ts";
import type { Context } from "../../src/system/context.ts";
import { CAPABILITY, derivedImages } from "./images/derived.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { allOstreeVersions, describeEachOstree } from "./ostree-versions.ts";
import {
  contextWith,
  createTestRepo,
  importBlob,
  rootsOf,
  type TestRepo,
  type Writer,
} from "./test-repo.ts";

const MEGABYTE = randomBytes(createRandom(3), 1 << 20);

const CASES: readonly (readonly [string, readonly TestEntry[]])[] = [
  ["an empty layer", []],
  ["a root of its own mode and owner", [dir(".", { mode: 0o700, uid: 7, gid: 8 })]],
  ["a root that comes last", [file("usr/x", "x", { uid: 3 }), dir(".", { mode: 0o711 })]],
  [
    "parents made of an entry's owner",
    [file("a/b/c", "x", { uid: 5, gid: 6 }), file("a/d/e", "y", { uid: 1 })],
  ],
  [
    "parents that are known, above one that is not",
    [dir(".", { mode: 0o700 }), dir("a", { mode: 0o711, uid: 2 }), file("a/b/c", "x", { uid: 3 })],
  ],
  [
    "a directory without its parent",
    [dir(".", { mode: 0o700 }), dir("a/b", { mode: 0o711, uid: 2 })],
  ],
  ["parents told later", [file("a/b/c", "x", { uid: 5 }), dir("a", { mode: 0o2755, gid: 9 })]],
  ["parents of a link", [file("x", "x"), hardlink("a/b", "x", { uid: 4 })]],
  ["a directory told twice", [dir("a", { mode: 0o700 }), dir("a", { mode: 0o1777 })]],
  ["a directory with attributes", [dir("a", { xattrs: { "user.z": "1", "user.a": "2" } })]],
  ["a file told twice", [file("a", "1"), file("a", "2")]],
  ["a file, then a link in its place", [file("a", "1"), symlink("a", "b")]],
  ["a link before its target", [hardlink("a", "b"), file("b", "x", { mode: 0o4755 })]],
  ["a link to a link", [file("c", "x"), hardlink("b", "c"), hardlink("a", "b")]],
  ["a link to a file that is replaced", [file("b", "1"), hardlink("a", "b"), file("b", "2")]],
  ["a file in the place of a link", [file("b", "1"), hardlink("a", "b"), file("a", "2")]],
  ["a link in the place of a file", [file("a", "1"), file("b", "2"), hardlink("a", "b")]],
  ["a link to a symbolic link", [symlink("b", "/somewhere"), hardlink("a", "b")]],
  ["a link to an empty file", [file("b"), hardlink("a", "b")]],
  ["modes and owners", [file("a", "x", { mode: 0o6755, uid: 70_000, gid: 3_000_000 })]],
  [
    "symbolic links whose mode is not 0777",
    [symlink("a", "b", { mode: 0o755 }), symlink("c", "d", { mode: 0 }), hardlink("e", "a")],
  ],
  ["symbolic links of owners", [symlink("a", "b", { uid: 3, gid: 4 }), symlink("b", "../x/./y")]],
  ["the same content twice", [file("a", "x"), file("b", "x"), file("c", "x", { mode: 0o600 })]],
  [
    "large files",
    [
      file("a", MEGABYTE),
      file("b", MEGABYTE),
      file("c", MEGABYTE.subarray(0, 65_536)),
      file("d", MEGABYTE.subarray(0, 65_535)),
      file("e", MEGABYTE.subarray(7)),
    ],
  ],
  ["names beyond ASCII", [file("ž/ß", "x"), dir("日本"), symlink("日本/語", "ž")]],
  [
    "a file with attributes after others",
    [file("a", "x"), file("b", "y", { xattrs: { "user.x": "1" } })],
  ],
  [
    "labels",
    [
      dir("usr", { xattrs: labelOf("usr_t") }),
      file("usr/bin", "x", { mode: 0o4755, uid: 7, xattrs: labelOf("bin_t") }),
      file("usr/lib", "x", { mode: 0, gid: 9, xattrs: labelOf("lib_t") }),
      symlink("usr/sbin", "bin", { xattrs: labelOf("bin_t") }),
      symlink("usr/lib64", "lib", { uid: 5, xattrs: labelOf("lib_t") }),
      hardlink("usr/again", "usr/bin"),
      hardlink("usr/once more", "usr/sbin"),
      file("usr/large", MEGABYTE, { xattrs: labelOf("lib_t") }),
      file("usr/unlabelled", "x"),
      file("usr/empty", "", { xattrs: labelOf("lib_t") }),
    ],
  ],
  [
    "capabilities of another owner's file, beside other attributes",
    [
      file("a", "x", {
        ...{ mode: 0o6755, uid: 3, gid: 4 },
        xattrs: { "user.z": "z", "security.capability": CAPABILITY, ...labelOf("ping_exec_t") },
      }),
      file("b", MEGABYTE, { uid: 3, xattrs: { "security.capability": CAPABILITY } }),
    ],
  ],
  [
    "the same content with different attributes",
    [
      file("a", "x", { xattrs: { "user.a": "bc" } }),
      file("b", "x", { xattrs: { "user.ab": "c" } }),
      file("c", "x", { xattrs: { "user.a": "b", "user.c": "b" } }),
      file("d", "x", { xattrs: { "user.a": "b".repeat(2000) } }),
      file("e", "x", { xattrs: { "trusted.a": "b" } }),
      symlink("f", "x", { xattrs: { "trusted.a": "b" } }),
      symlink("g", "x", { xattrs: { "trusted.a": "c" } }),
    ],
  ],
];

/** With the NUL byte that a policy's labels end with. */
function labelOf(type: string): Readonly<Record<string, string>> {
  return { "security.selinux": `system_u:object_r:${type}:s0\0` };
}

describeEachOstree((ostree) => {
  let repos: Readonly<Record<Writer, TestRepo>>;
  /** For our own writer, with an ostree that refuses to commit. */
  let withoutCommit: Context;

  beforeAll(() => {
    repos = { ours: createTestRepo(ostree), ostree: createTestRepo(ostree) };
    withoutCommit = contextWith(ostree, repos.ours, '[ "$1" != commit ] || exit 99');
  });
  afterAll(() => {
    for (const it of Object.values(repos)) it.remove();
  });

  /** The result of the writer; for a refused layer, the kind of the error. */
  async function outcomeOf(writer: Writer, tar: Buffer, ctx = repos[writer].ctx) {
    const it = { ...repos[writer], ctx };
    try {
      const { commit, diffId } = await importBlob(it, tar, { writer });
      return { roots: rootsOf(it, commit), diffId };
    } catch (error) {
      return { kind: (error as { kind?: string }).kind };
    }
  }

  async function expectSame(entries: readonly TestEntry[]): Promise<boolean> {
    const tar = makeTar(entries);
    const needsLibc = entries.some(
      ({ xattrs = {}, type }) => Object.keys(xattrs).length > 0 && type !== "directory",
    );
    const isForOstree = needsLibc && openLibc() === undefined;
    const ours = await outcomeOf("ours", tar, isForOstree ? undefined : withoutCommit);
    expect(ours).toEqual(await outcomeOf("ostree", tar));
    return "roots" in ours;
  }

  /** Every object that a layer needs, but for commits, which tell their time: as `ls` would show them. */
  function objectsOf(it: TestRepo): readonly string[] {
    it.ostree("prune", "--refs-only", "--depth=0");
    const find = (test: readonly string[], format: string) =>
      execFileSync("find", ["objects", ...test, "-printf", `${format}\\n`], {
        cwd: it.repo,
        encoding: "utf8",
      }).split("\n");
    const owned = "%P %y %m %U %G %s";
    return [
      ...find(["-name", "*.file", "-type", "f"], `${owned} %T@`),
      ...find(["-name", "*.file", "-type", "l"], `${owned} %l`),
      ...find(["-name", "*.dir*"], owned),
      ...find(["-name", "*.file"], "%P").map((path) => `${path} ${xattrsOf(it, path)}`),
    ].sort();
  }

  function xattrsOf({ repo }: TestRepo, path: string): string {
    const libc = openLibc();
    if (libc === undefined || path === "") return "";
    const file = join(repo, "objects", path);
    const xattrs = libc.listXattrs(file).map((name) => [name, libc.getXattr(file, name)]);
    return JSON.stringify(xattrs.sort());
  }

  test.each(CASES)("%s", async (_, entries) => {
    expect(await expectSame(entries)).toBe(true);
  });

  const generated = derivedImages().filter(({ name }) => !/small files|64 layers/.test(name));
  test.each(generated.map((it) => [it.name, it.layers] as const))(
    "generated: %s",
    async (_, layers) => {
      for (const layer of layers) expect(await expectSame(layer)).toBe(true);
    },
  );

  test("any entries, conflicting or not", async () => {
    const name = fc.constantFrom("a", "b", "c", "d");
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((it) => it.join("/"));
    const owner = { uid: fc.nat(3), gid: fc.nat(3) };
    const xattrs = fc.constantFrom(...[{}, labelOf("bin_t"), labelOf("lib_t")]);
    const entry: fc.Arbitrary<TestEntry> = fc.oneof(
      fc
        .record({
          ...{ path, content: fc.string({ maxLength: 3 }), mode: fc.nat(0o7777) },
          ...{ xattrs, ...owner },
        })
        .map((it) => ({ ...it, type: "file" as const })),
      fc
        .record({ path, mode: fc.nat(0o7777), xattrs, ...owner })
        .map((it) => ({ ...it, type: "directory" as const })),
      fc
        .record({ path, link: path, mode: fc.nat(0o7777), xattrs, ...owner })
        .map((it) => ({ ...it, type: "symlink" as const })),
      fc.record({ path, link: path, ...owner }).map((it) => ({ ...it, type: "hardlink" as const })),
    );
    const seen = { imported: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
        fc.pre(!hasLinkToLink(entries));
        seen[(await expectSame(entries)) ? "imported" : "refused"]++;
      }),
      { numRuns: 150, seed: 7 },
    );
    expect(seen.imported).toBeGreaterThan(30);
    expect(seen.refused).toBeGreaterThan(30);
  }, 300_000);

  test("afterwards both repositories hold the same files and are intact", () => {
    const objects = objectsOf(repos.ours);
    expect(objects.length).toBeGreaterThan(100);
    expect(objects).toEqual(objectsOf(repos.ostree));
    for (const it of Object.values(repos)) it.ostree("fsck", "--quiet");
  });

  test.each([0o077, 0o000])("objects are as readable with the umask %o", async (umask) => {
    const before = process.umask(umask);
    try {
      await expectSame([dir("masked", { uid: umask + 1 }), file("masked/file", `${umask}`)]);
    } finally {
      process.umask(before);
    }
    expect(objectsOf(repos.ours)).toEqual(objectsOf(repos.ostree));
  });
}, allOstreeVersions());

/** How ostree treats links to links depends on the order of a hash table. */
function hasLinkToLink(entries: readonly TestEntry[]): boolean {
  const links = entries.filter((it) => it.type === "hardlink");
  const paths = new Set(links.map((it) => it.path));
  return links.some((it) => paths.has(it.link ?? ""));
}
