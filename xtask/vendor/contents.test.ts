import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { formatTar } from "../archive/archive.ts";
import { readContents } from "./contents.ts";
import { readTarball, unpackTar } from "./tar-read.ts";

const DEEP = `${"deep/".repeat(40)}file.js`;

/** A package as somebody else's tar program packs it. */
function packWithTar(files: Readonly<Record<string, string>>, format: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "pack-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, "package", dirname(path)), { recursive: true });
    writeFileSync(join(folder, "package", path), text, {
      mode: path.startsWith("bin") ? 0o755 : 0o644,
    });
  }
  return execFileSync("tar", [`--format=${format}`, "-C", folder, "-czf", "-", "package"]);
}

const FILES = {
  "package.json": '{"name":"x","license":"MIT"}',
  LICENSE: "text",
  "bin/x": "#!",
  "browser/a.js": "a",
  "browser/deep/b.js": "b",
  "lib/c.js.map": "c",
};

test.each(["ustar", "gnu", "posix"])("reads what GNU tar writes as %s", (format) => {
  const files = readTarball(packWithTar({ ...FILES, [DEEP]: "d" }, format));
  const seen = Object.fromEntries(files.map((it) => [it.path, it.bytes.toString()]));
  expect(seen[`package/${DEEP}`]).toBe("d");
  expect(Object.keys(seen)).toHaveLength(7);
  expect(files.filter((it) => it.isExecutable).map((it) => it.path)).toEqual(["package/bin/x"]);
});

test("reads what we write, long names too", () => {
  const entry = (path: string) => ({
    path,
    content: { kind: "bytes", bytes: Buffer.from(path) } as const,
  });
  const files = unpackTar(formatTar([entry(`package/${DEEP}`), entry("package/ä")], 0));
  expect(files.map((it) => [it.path, it.bytes.toString()])).toEqual([
    [`package/${DEEP}`, `package/${DEEP}`],
    ["package/ä", "package/ä"],
  ]);
});

test.each([
  { what: "no gzip", bytes: Buffer.from("no"), want: "the tarball is damaged" },
  { what: "cut", bytes: cutTarball(), want: "the tarball is damaged: it ends too early" },
  { what: "flipped", bytes: flippedTarball(), want: "a header's checksum is wrong" },
  { what: "leading out", bytes: evilTarball(), want: "`../../etc/x`, which leads out of it" },
])("$what: $want", ({ bytes, want }) => {
  expect(() => readTarball(bytes)).toThrow(want);
});

function plainTar(): Buffer {
  return formatTar([{ path: "a", content: { kind: "bytes", bytes: Buffer.alloc(2000, 1) } }], 0);
}

function cutTarball(): Buffer {
  return gzipSync(plainTar().subarray(0, 1000));
}

function flippedTarball(): Buffer {
  const tar = plainTar();
  tar[1] = 0x41;
  return gzipSync(tar);
}

/** Our writer refuses such paths, so the header is made to hold one. */
function evilTarball(): Buffer {
  const tar = formatTar(
    [{ path: "aa/aa/etc/x", content: { kind: "bytes", bytes: Buffer.alloc(1) } }],
    0,
  );
  const header = tar.indexOf("aa/aa/etc/x\0");
  tar.write("../../etc/x", header, "latin1");
  const sum = (from: number) =>
    tar
      .subarray(from, from + 512)
      .reduce((total, it, i) => total + (i >= 148 && i < 156 ? 32 : it), 0);
  tar.write(`${sum(header).toString(8).padStart(6, "0")}\0 `, header + 148, "latin1");
  return gzipSync(tar);
}

test("without exclusions the tarball is not touched", () => {
  const contents = readContents("x", packWithTar(FILES, "ustar"), [], 0);
  expect(contents).toMatchObject({ filteredFiles: [], filteredBytes: 0, license: "MIT" });
  expect(contents.repacked).toBeUndefined();
  expect(contents.licenseTexts.map((it) => it.name)).toEqual(["LICENSE"]);
});

test("excluded files are gone, counted, and the integrity is that of what is left", () => {
  const exclusions = [
    { name: "x", exclude: "browser" },
    { name: "*", exclude: "**/*.map" },
    { name: "x", exclude: "absent" },
    { name: "y", exclude: "lib" },
  ];
  const { repacked, ...rest } = readContents("x", packWithTar(FILES, "ustar"), exclusions, 5);
  expect(rest.filteredFiles).toEqual(["browser/a.js", "browser/deep/b.js", "lib/c.js.map"]);
  expect(rest.filteredBytes).toBe(3);
  expect(rest.used).toEqual(exclusions.slice(0, 2));
  const bytes = repacked?.bytes ?? Buffer.alloc(0);
  expect(readTarball(bytes).map((it) => it.path)).toEqual([
    "package/LICENSE",
    "package/bin/x",
    "package/package.json",
  ]);
  expect(repacked?.integrity).toBe(`sha512-${createHash("sha512").update(bytes).digest("base64")}`);
  expect(gunzipSync(bytes).length % 512).toBe(0);
});

test("package.json cannot be left out", () => {
  const exclusions = [{ name: "x", exclude: "*.json" }];
  const work = () => readContents("x", packWithTar(FILES, "ustar"), exclusions, 0);
  expect(work).toThrow("`package.json` of `x` cannot be left out");
});

test.each([
  { manifest: '{"license":{"type":"ISC"}}', want: "ISC" },
  { manifest: '{"licenses":[{"type":"MIT"},{"type":"GPL-2.0"}]}', want: "(MIT OR GPL-2.0)" },
  { manifest: "{}", want: "" },
])("the licence in $manifest is `$want`", ({ manifest, want }) => {
  expect(readContents("x", packWithTar({ "package.json": manifest }, "ustar"), [], 0).license).toBe(
    want,
  );
});

test.each([
  "LICENSE",
  "license",
  "LICENCE.md",
  "License-MIT.txt",
  "COPYING",
  "NOTICE",
  "UNLICENSE",
  "COPYRIGHT.txt",
])("%s is a licence text", (name) => {
  const tarball = packWithTar(
    { "package.json": "{}", [name]: "t", "licenses.js/x": "n", "license.cjs": "n" },
    "gnu",
  );
  expect(readContents("x", tarball, [], 0).licenseTexts.map((it) => it.name)).toEqual([name]);
});
