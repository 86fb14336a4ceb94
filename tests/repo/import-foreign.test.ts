// Layers as other programs write them: both writers store what is meant, and the repository stays intact.
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
    // An access list must match the mode, so both are set alike.
    return makeTar([dir("usr", { records, mode: 0o644 }), file("usr/x", "x", { records })]);
  }

  test.each<[string, Records, Readonly<Record<string, string | Buffer>>]>([
    [
      "capabilities of version 3 with the root of the host",
      [["SCHILY.xattr.security.capability", Buffer.from(`01000003${"00".repeat(20)}`, "hex")]],
      { "security.capability": Buffer.from(`01000002${"00".repeat(16)}`, "hex") },
    ],
    [
      "an access list that agrees with the mode",
      [["SCHILY.xattr.system.posix_acl_access", accessList(["1", "6"], ["4", "4"], ["20", "4"])]],
      {},
    ],
    [
      "an access list that contradicts the mode",
      [
        [
          "SCHILY.xattr.system.posix_acl_access",
          accessList(["1", "6"], ["2", "7", 7], ["4", "4"], ["10", "7"], ["20", "0"]),
        ],
      ],
      {
        "system.posix_acl_access": accessList(
          ["1", "6"],
          ["2", "7", 7],
          ["4", "4"],
          ["10", "4"],
          ["20", "4"],
        ),
      },
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
    const plain = makeTar([dir("usr", { xattrs, mode: 0o644 }), file("usr/x", "x", { xattrs })]);
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
  ])("ignored: %s", async (_, tar) => {
    expect((await imported(tar)).roots).toEqual((await imported(TAR)).roots);
  });

  /** Written by GNU tar, from a tree with a file for each arrangement of holes. */
  function tarOfHoles(...options: readonly string[]): Buffer {
    const tree = mkdtempSync(join(it.work, "holes-"));
    const usr = join(tree, "usr", "d".repeat(120));
    const objects = join(tree, "sysroot/ostree/repo/objects/aa");
    for (const path of [usr, objects]) mkdirSync(path, { recursive: true });
    const at = (name: string) => join(usr, name);
    writeFileSync(at("a-plain"), "content");
    writeFileSync(at("b-hole"), "");
    truncateSync(at("b-hole"), 123_457);
    writeFileSync(at("c-end"), "x".repeat(5000));
    truncateSync(at("c-end"), 3_000_001);
    writeHoley(at(`d-${"n".repeat(130)}`), 1);
    writeHoley(at("e-many"), 300);
    // A changed object, whose place is given by a hard link.
    writeHoley(join(objects, "f.file"), 2);
    utimesSync(join(objects, "f.file"), 1_700_000_000, 1_700_000_000);
    linkSync(join(objects, "f.file"), at("z-link"));
    const args = ["--sort=name", "--owner=0", "--group=0", ...options];
    return execFileSync("tar", [...args, "-C", tree, "-cf", "-", "sysroot", "usr"], {
      maxBuffer: 1 << 27,
    });
  }

  test.each(["0.0", "0.1", "1.0"])("sparse files of format %s", async (version) => {
    const plain = tarOfHoles("--format=pax");
    const sparse = tarOfHoles("--format=pax", "--sparse", `--sparse-version=${version}`);
    expect(sparse.length).toBeLessThan(plain.length / 2);
    expect((await imported(sparse)).roots).toEqual((await imported(plain)).roots);
  });

  test("sparse files of the old format are refused by their name", async () => {
    const failure = await imported(tarOfHoles("--format=gnu", "--sparse")).catch((error) => error);
    expect(failure).toMatchObject({ name: "BootcError", kind: "integrity" });
    expect(failure.cause.message).toMatch(/GNU sparse file.*`sysroot/);
  });

  test("a hole larger than the disk is refused before it is filled", async () => {
    const records: Records = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", String(10 ** 14)],
    ];
    const hole = makeTar([file("usr/x", "0\n".padEnd(512, "\0"), { records })]);
    const failure = await imported(hole).catch((error) => error);
    expect(failure.cause).toMatchObject({ name: "BootcError", kind: "space" });
  }, 20_000);

  test("afterwards the repository is intact", () => {
    it.ostree("fsck", "--quiet");
  });
});

/** As `getfattr` shows it: tags and permissions of <linux/posix_acl_xattr.h>. */
function accessList(
  ...entries: readonly (readonly [tag: string, permissions: string, id?: number])[]
): Buffer {
  const words = entries.map(([tag, permissions, id = 0xffff_ffff]) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(Number.parseInt(tag, 16), 0);
    entry.writeUInt16LE(Number(permissions), 2);
    entry.writeUInt32LE(id, 4);
    return entry;
  });
  return Buffer.concat([Buffer.from([2, 0, 0, 0]), ...words]);
}

/** Parts of four KiB with data, each behind a hole of the same size. */
function writeHoley(path: string, parts: number): void {
  writeFileSync(path, "");
  for (let i = 0; i < parts; i++) {
    truncateSync(path, 4096 * (2 * i + 1));
    writeFileSync(path, String(i % 10).repeat(4096), { flag: "a" });
  }
  truncateSync(path, 4096 * (2 * parts + 1) + 7);
}
