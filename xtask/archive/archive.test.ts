import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { zstdDecompressSync } from "node:zlib";
import { list } from "tar";
import { expect, test } from "vitest";
import { unpackTar } from "../vendor/tar-read.ts";
import { type ArchiveEntry, formatTar, writeArchive } from "./archive.ts";
import { writeWhole } from "./write-whole.ts";

const LONG = `${"a".repeat(60)}/${"b".repeat(60)}`;

const ENTRIES: readonly ArchiveEntry[] = [
  { path: "z/run", content: { kind: "bytes", bytes: Buffer.from("#!") }, isExecutable: true },
  { path: "a.txt", content: { kind: "bytes", bytes: Buffer.from("text\n") } },
  { path: "link", content: { kind: "link", target: "a.txt" } },
  { path: LONG, content: { kind: "bytes", bytes: Buffer.alloc(600, "x") } },
];

test("the bytes are pinned: a change of format shows here", () => {
  const digest = createHash("sha256").update(formatTar(ENTRIES, 1_700_000_000)).digest("hex");
  expect(digest).toMatchInlineSnapshot(
    `"02263576256beb518657a741025ab00a649541f27a298bef8e81cc92283a63e9"`,
  );
});

test("the order of the entries and the folders above them do not matter", () => {
  const folders: readonly ArchiveEntry[] = [{ path: "z", content: { kind: "folder" } }];
  expect(formatTar([...folders, ...ENTRIES].reverse(), 5)).toEqual(formatTar(ENTRIES, 5));
});

test("another implementation reads what was written", async () => {
  const seen: unknown[] = [];
  const reader = list({
    onReadEntry: (it) => seen.push([it.path, it.type, it.size, it.mode, it.uid, it.linkpath ?? ""]),
  });
  Readable.from([formatTar(ENTRIES, 1_700_000_000)]).pipe(reader as never);
  await new Promise((resolve) => reader.on("end", resolve));
  expect(seen).toEqual([
    ["a.txt", "File", 5, 0o644, 0, ""],
    [`${"a".repeat(60)}/`, "Directory", 0, 0o755, 0, ""],
    [LONG, "File", 600, 0o644, 0, ""],
    ["link", "SymbolicLink", 0, 0o777, 0, "a.txt"],
    ["z/", "Directory", 0, 0o755, 0, ""],
    ["z/run", "File", 2, 0o755, 0, ""],
  ]);
});

test("names and targets of any length and letters are read by us, by tar and by npm's reader", async () => {
  const paths = [
    `${"n".repeat(150)}/${"m".repeat(150)}`,
    `ü/${"ö".repeat(90)}`,
    `c/${"c".repeat(98)}`,
  ];
  const target = `../${"t".repeat(200)}`;
  const entries: readonly ArchiveEntry[] = [
    ...paths.map((path) => ({
      path,
      content: { kind: "bytes", bytes: Buffer.from("x") } as const,
    })),
    { path: "link", content: { kind: "link", target } },
  ];
  const tar = formatTar(entries, 1);
  expect(unpackTar(tar).map((it) => it.path)).toEqual(paths.toSorted(byBytes));
  const args = ["--quoting-style=literal", "-tvf", "-"];
  const listed = execFileSync("tar", args, { input: tar }).toString();
  for (const path of paths) expect(listed).toContain(` ${path}\n`);
  expect(listed).toContain(` link -> ${target}\n`);
  expect(listed.match(/ 1970-01-01 /g)).toHaveLength(listed.trimEnd().split("\n").length);
  const seen: unknown[] = [];
  const reader = list({ onReadEntry: (it) => seen.push(it.linkpath || it.path) });
  Readable.from([tar]).pipe(reader as never);
  await new Promise((resolve) => reader.on("end", resolve));
  expect(seen).toEqual(expect.arrayContaining([...paths, target]));
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

test("tar.zst holds the same tar, twice the same bytes, and the tar program takes it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "archive-"));
  const options = { format: "tar.zst", mtimeEpoch: 7 } as const;
  await writeArchive(join(folder, "1.tar.zst"), ENTRIES, options);
  await writeArchive(join(folder, "2.tar.zst"), ENTRIES, { ...options, windowLog: 27 });
  await writeArchive(join(folder, "3.tar.zst"), ENTRIES, options);
  const bytes = readFileSync(join(folder, "1.tar.zst"));
  expect(zstdDecompressSync(bytes)).toEqual(formatTar(ENTRIES, 7));
  expect(readFileSync(join(folder, "3.tar.zst"))).toEqual(bytes);
  const listed = execFileSync("tar", ["-tf", "-"], { input: formatTar(ENTRIES, 7) }).toString();
  expect(listed.split("\n")).toContain("z/run");
});

test.each([{ path: "../up" }, { path: "/abs" }, { path: "a//b" }, { path: "" }])(
  "the path `$path` is refused",
  ({ path }) => {
    expect(() => formatTar([{ path, content: { kind: "folder" } }], 0)).toThrow(
      "is not a valid path",
    );
  },
);

test("the same file twice is refused", () => {
  const twice = [ENTRIES[1], ENTRIES[1]] as ArchiveEntry[];
  expect(() => formatTar(twice, 0)).toThrow("`a.txt` occurs twice in the archive");
});

test("a failed write leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "whole-"));
  const fail = () => Promise.reject(new Error("no"));
  await expect(writeWhole(join(folder, "x"), fail)).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});
