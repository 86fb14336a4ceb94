// The archives to damage: one valid archive for each way in which tools write layers, the same in every run.
import { createRandom, randomBytes } from "../repo/images/random.ts";
import {
  BLOCK,
  base256,
  directory,
  endMarker,
  entry,
  gnuLong,
  padded,
  pax,
  repairChecksum,
} from "./tar-blocks.ts";

export interface SeedTar {
  readonly name: string;
  readonly tar: Buffer;
}

const text = (content: string) => Buffer.from(content);
const usr = [directory("usr"), directory("usr/bin"), directory("usr/lib"), directory("etc")];
const LONG = `usr/share/${"long-".repeat(30)}name`;
/** cap_net_raw permitted and effective, in revisions 2 and 3, the latter for root id 1000. */
const CAPABILITY_2 = Buffer.from("0100000200200000000000000000000000000000", "hex");
const CAPABILITY_3 = Buffer.from("0100000300200000000000000000000000000000e8030000", "hex");

/** The layer below the damaged one in every image: files to replace, remove and link to. */
export function baseTar(): Buffer {
  return tar(
    ...usr,
    entry("usr/bin/a", { content: text("base"), mode: 0o755 }),
    entry("usr/lib/b", { content: text("base") }),
    directory("usr/share"),
    directory("usr/share/doc"),
    entry("usr/share/doc/c", { content: text("base") }),
    entry("lib", { type: "2", link: "usr/lib", mode: 0o777 }),
    entry("usr/etc-link", { type: "2", link: "../etc", mode: 0o777 }),
    entry("etc/conf", { content: text("base\n") }),
  );
}

export function seedTars(): readonly SeedTar[] {
  return [
    { name: "ustar", tar: ustar() },
    { name: "gnu", tar: gnu() },
    { name: "v7", tar: v7() },
    { name: "pax", tar: paxed() },
    { name: "pax-global", tar: paxGlobal() },
    { name: "xattrs", tar: xattrs() },
    { name: "labels", tar: labels() },
    { name: "sparse-gnu", tar: sparseGnu() },
    { name: "sparse-0.0", tar: sparsePax("0.0") },
    { name: "sparse-0.1", tar: sparsePax("0.1") },
    { name: "sparse-1.0", tar: sparsePax("1.0") },
    { name: "hard-links", tar: hardLinks() },
    { name: "hard-link-down", tar: hardLinkDown() },
    { name: "whiteouts", tar: whiteouts() },
    { name: "links-over", tar: linksOver() },
    { name: "kernel", tar: kernel() },
    { name: "many", tar: many() },
    { name: "large", tar: large() },
    { name: "top-level", tar: topLevel() },
    { name: "empty", tar: endMarker() },
  ];
}

function tar(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, endMarker()]);
}

function ustar(): Buffer {
  return tar(
    directory("."),
    ...usr,
    entry("./usr/bin/a", { content: text("new"), mode: 0o4755 }),
    entry("usr/bin/link", { type: "2", link: "a", mode: 0o777 }),
    entry("usr/bin/hard", { type: "1", link: "usr/bin/a" }),
    entry("usr/lib/null", { type: "3", raw: { major: "0000001\0", minor: "0000003\0" } }),
    entry("usr/lib/block", { type: "4", raw: { major: "0000007\0", minor: "0000000\0" } }),
    entry("usr/lib/fifo", { type: "6" }),
    entry("deep/file", { content: text("x"), raw: { prefix: `usr/share/${"d/".repeat(60)}d` } }),
    entry("usr/lib/contiguous", { type: "7", content: text("seven") }),
  );
}

function gnu(): Buffer {
  const dialect = "gnu";
  const target = `../${"t/".repeat(80)}target`;
  return tar(
    ...usr,
    gnuLong("L", LONG),
    entry(LONG, { content: text("long"), dialect }),
    gnuLong("K", target),
    entry("usr/lib/far", { type: "2", link: target, mode: 0o777, dialect }),
    gnuLong("K", LONG),
    gnuLong("L", `${LONG}-2`),
    entry(LONG, { type: "1", link: LONG, dialect }),
    entry("usr/lib/owned", { content: text("x"), dialect, raw: { uid: base256(3_000_000, 8) } }),
    entry("usr/lib/sized", { content: text("x"), dialect, raw: { size: base256(1, 12) } }),
  );
}

function v7(): Buffer {
  const dialect = "v7";
  return tar(
    directory("usr", { dialect }),
    entry("usr/old", { content: text("old"), dialect, type: "\0" }),
    entry("usr/older", { type: "1", link: "usr/old", dialect }),
  );
}

function paxed(): Buffer {
  return tar(
    ...usr,
    pax([
      ["path", "usr/share/grüße-\u{1f30d}"],
      ["mtime", "1700000000.123456789"],
    ]),
    entry("usr/share/short", { content: text("hello") }),
    pax([["linkpath", `../${"ä/".repeat(60)}`]]),
    entry("usr/lib/linked", { type: "2", link: "x", mode: 0o777 }),
    pax([
      ["size", "5"],
      ["uid", "70000"],
      ["gid", "0"],
      ["uname", "root"],
      ["comment", "none"],
    ]),
    entry("usr/lib/sized", { content: text("fives") }),
    pax([
      ["hdrcharset", "BINARY"],
      ["path", Buffer.from("usr/lib/latin-1")],
    ]),
    entry("x", { content: text("x") }),
  );
}

function paxGlobal(): Buffer {
  return tar(
    pax([["comment", "0123456789abcdef0123456789abcdef01234567"]], "g"),
    pax([["mtime", "1700000001"]], "g"),
    ...usr,
    entry("usr/lib/a", { content: text("a") }),
    pax([["atime", "1.5"]]),
    entry("usr/lib/c", { content: text("c") }),
  );
}

function xattrs(): Buffer {
  const shared = Buffer.from("shared");
  return tar(
    pax([["SCHILY.xattr.user.dir", "d"]]),
    directory("usr"),
    pax([
      ["SCHILY.xattr.user.z", "last"],
      ["SCHILY.xattr.user.a", Buffer.from([0, 1, 2, 0xff])],
    ]),
    entry("usr/z", { content: text("z") }),
    pax([["SCHILY.xattr.security.capability", CAPABILITY_2]]),
    entry("usr/ping", { content: text("ping"), mode: 0o755 }),
    pax([["SCHILY.xattr.security.capability", CAPABILITY_3]]),
    entry("usr/ping3", { content: text("ping"), mode: 0o755 }),
    pax([["LIBARCHIVE.xattr.user.mime", shared.toString("base64")]]),
    entry("usr/mime", { content: text("m") }),
    pax([["SCHILY.xattr.trusted.overlay.opaque", "y"]]),
    directory("usr/opaque"),
    pax([["SCHILY.acl.access", "user::rw-,group::r--,other::r--"]]),
    entry("usr/acl", { content: text("acl") }),
  );
}

function labels(): Buffer {
  const label = (type: string) => `system_u:object_r:${type}:s0\0`;
  return tar(
    pax([["SCHILY.xattr.security.selinux", label("usr_t")]]),
    directory("usr"),
    pax([["SCHILY.xattr.security.selinux", label("bin_t")]]),
    entry("usr/tool", { content: text("tool"), mode: 0o755 }),
    pax([["RHT.security.selinux", label("lib_t")]]),
    entry("usr/lib.so", { content: text("lib") }),
    pax([["SCHILY.xattr.security.selinux", label("etc_t")]]),
    entry("usr/link", { type: "2", link: "tool", mode: 0o777 }),
  );
}

/** Two regions of a file of a megabyte. */
const REGIONS = [
  [0, 512],
  [1 << 20, 100],
] as const;
const REAL_SIZE = (1 << 20) + 100;
const SPARSE_DATA = Buffer.concat([Buffer.alloc(512, "a"), Buffer.alloc(100, "b")]);

function sparseGnu(): Buffer {
  const octal = (value: number) => `${value.toString(8).padStart(11, "0")}\0`;
  const map = Buffer.from(REGIONS.map(([at, size]) => octal(at) + octal(size)).join(""), "latin1");
  const whole = entry("usr/sparse", { type: "S", content: SPARSE_DATA, dialect: "gnu" });
  const header = whole.subarray(0, BLOCK);
  map.copy(header, 386);
  header.write(octal(REAL_SIZE), 483, "latin1");
  repairChecksum(header);
  return tar(directory("usr"), header, whole.subarray(BLOCK));
}

function sparsePax(version: "0.0" | "0.1" | "1.0"): Buffer {
  const name = "usr/lib/sparse";
  const numbers = REGIONS.flat();
  const records: readonly (readonly [string, string])[] = {
    "0.0": [
      ["GNU.sparse.size", String(REAL_SIZE)],
      ["GNU.sparse.numblocks", "2"],
      ...REGIONS.flatMap(([at, size]) => [
        ["GNU.sparse.offset", String(at)] as const,
        ["GNU.sparse.numbytes", String(size)] as const,
      ]),
    ] as const,
    "0.1": [
      ["GNU.sparse.size", String(REAL_SIZE)],
      ["GNU.sparse.numblocks", "2"],
      ["GNU.sparse.name", name],
      ["GNU.sparse.map", numbers.join(",")],
    ] as const,
    "1.0": [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", name],
      ["GNU.sparse.realsize", String(REAL_SIZE)],
    ] as const,
  }[version];
  const map = padded(text(`2\n${numbers.join("\n")}\n`));
  const content = version === "1.0" ? Buffer.concat([map, SPARSE_DATA]) : SPARSE_DATA;
  const stored = version === "0.0" ? name : "usr/lib/GNUSparseFile.0/sparse";
  return tar(directory("usr"), pax(records), entry(stored, { content }));
}

function hardLinks(): Buffer {
  return tar(
    ...usr,
    pax([["SCHILY.xattr.user.a", "1"]]),
    entry("usr/lib/one", { content: text("one"), mode: 0o600 }),
    entry("usr/lib/two", { type: "1", link: "usr/lib/one" }),
    entry("usr/lib/three", { type: "1", link: "usr/lib/two" }),
    entry("etc/four", { type: "1", link: "./usr/lib/three" }),
  );
}

/** A link to a file of the layer below, which not every reader accepts. */
function hardLinkDown(): Buffer {
  return tar(...usr, entry("usr/lib/of-base", { type: "1", link: "usr/lib/b" }));
}

function whiteouts(): Buffer {
  return tar(
    ...usr,
    entry("usr/bin/.wh.a"),
    entry("usr/lib/.wh..wh..opq"),
    entry("usr/lib/new", { content: text("new") }),
    directory("usr/share"),
    entry("usr/share/.wh.doc"),
    entry("etc/.wh.conf"),
    entry("etc/conf.d", { content: text("x") }),
  );
}

function linksOver(): Buffer {
  return tar(
    directory("usr"),
    entry("lib/file", { content: text("through a link") }),
    entry("usr/etc-link/file", { content: text("through a link") }),
    entry("usr/lib", { type: "2", link: "lib64", mode: 0o777 }),
    directory("usr/bin/a"),
    entry("usr/bin/a/b", { content: text("a directory over a file") }),
    entry("usr/share", { content: text("a file over a directory") }),
  );
}

function kernel(): Buffer {
  const modules = "usr/lib/modules/6.1.0";
  return tar(
    ...usr,
    directory("usr/lib/modules"),
    directory(modules),
    entry(`${modules}/vmlinuz`, { content: Buffer.alloc(4000, "k") }),
    entry(`${modules}/initramfs.img`, { content: Buffer.alloc(5000, "i") }),
    directory("usr/lib/bootc"),
    directory("usr/lib/bootc/kargs.d"),
    entry("usr/lib/bootc/kargs.d/1.toml", { content: text('kargs = ["quiet"]\n') }),
    directory("usr/lib/ostree"),
    entry("usr/lib/ostree/prepare-root.conf", { content: text("[composefs]\nenabled = no\n") }),
  );
}

function many(): Buffer {
  const files = Array.from({ length: 120 }, (_, i) =>
    entry(`usr/lib/many/${i}`, { content: Buffer.alloc(i * 7, i), mode: i % 2 ? 0o644 : 0o755 }),
  );
  return tar(...usr, directory("usr/lib/many"), ...files);
}

function large(): Buffer {
  const random = createRandom(1);
  return tar(
    ...usr,
    entry("usr/lib/large", { content: randomBytes(random, 300_000) }),
    entry("usr/lib/zeros", { content: Buffer.alloc(700_001) }),
  );
}

function topLevel(): Buffer {
  const places = ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var", "opt", "usr/etc"];
  return tar(
    ...usr,
    ...places.flatMap((it) => [directory(it), entry(`${it}/file`, { content: text(it) })]),
    entry("var/log", { type: "5", mode: 0o755 }),
    entry("root-file", { content: text("r") }),
  );
}
