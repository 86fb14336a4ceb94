// Layers as other programs write them: stored like what is meant, by either writer, and whole afterwards.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dir, extendedHeader, file, makeTar, type Records, symlink } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { createTestRepo, importBlob, rootsOf, type TestRepo } from "./test-repo.ts";

const cases = ostreeVersions().flatMap((ostree) =>
  (["ours", "ostree"] as const).map((writer) => ({ ...ostree, writer })),
);

describe.each(cases)("with ostree $version, written by $writer", ({ writer, ...ostree }) => {
  let it: TestRepo;
  beforeAll(() => {
    it = createTestRepo(ostree);
  });
  afterAll(() => it.remove());

  async function imported(tar: Buffer) {
    const { commit } = await importBlob(it, tar, { writer });
    return { commit, roots: rootsOf(it, commit) };
  }

  function withRecords(records: Records): Buffer {
    return makeTar([dir("usr", { records }), file("usr/x", "x", { records })]);
  }

  test.each<[string, Records, Readonly<Record<string, string | Buffer>>]>([
    [
      "capabilities of version 3 with the root of the host",
      [["SCHILY.xattr.security.capability", Buffer.from(`01000003${"00".repeat(20)}`, "hex")]],
      { "security.capability": Buffer.from(`01000002${"00".repeat(16)}`, "hex") },
    ],
    [
      "a label by GNU tar",
      [["RHT.security.selinux", "system_u:object_r:bin_t:s0"]],
      { "security.selinux": "system_u:object_r:bin_t:s0" },
    ],
    [
      "attributes by bsdtar",
      [
        ["SCHILY.xattr.user.%25", "v"],
        ["LIBARCHIVE.xattr.user.%25", "dg"],
        ["LIBARCHIVE.xattr.user.a", "dg"],
      ],
      { "user.%": "v", "user.a": "v" },
    ],
  ])("%s", async (_, records, xattrs) => {
    const plain = makeTar([dir("usr", { xattrs }), file("usr/x", "x", { xattrs })]);
    const { roots } = await imported(withRecords(records));
    expect(roots).toEqual((await imported(plain)).roots);
    it.ostree("fsck", "--quiet");
  });

  test("an attribute with an equals sign in its name", async () => {
    const records: Records = [
      ["LIBARCHIVE.xattr.user.b%3Dc", "dmFs"],
      ["SCHILY.xattr.user.a", "first"],
      ["SCHILY.xattr.user.z", "last"],
    ];
    const { commit } = await imported(withRecords(records));
    const shown = "(b'user.b=c', [0x76, 0x61, 0x6c]), (b'user.z',";
    const lines = it.ostree("ls", "-R", "-X", commit).split("\n");
    expect(lines.filter((line) => line.includes(shown))).toHaveLength(2);
    it.ostree("fsck", "--quiet");
  });

  const TAR = makeTar([dir("usr"), file("usr/x", "x"), symlink("usr/y", "x")]);

  test.each<[string, Buffer]>([
    ["text after the end", Buffer.concat([TAR, Buffer.from("text")])],
    ["another tar after the end", Buffer.concat([TAR, makeTar([file("usr/z", "z")])])],
    ["an empty extended header", Buffer.concat([extendedHeader("x", []), TAR])],
    ["star's", Buffer.concat([extendedHeader("g", [["SCHILY.archtype", "exustar"]]), TAR])],
    ["records without a value", Buffer.concat([extendedHeader("x", [["path", ""]]), TAR])],
    ["leading zeros", Buffer.concat([extendedHeader("x", [["uid", "0".repeat(20)]]), TAR])],
  ])("as if it were not there: %s", async (_, tar) => {
    expect((await imported(tar)).roots).toEqual((await imported(TAR)).roots);
  });
});
