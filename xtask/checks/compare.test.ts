import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { type ArchiveEntry, formatTar } from "../archive/archive.ts";
import { compareFolders, describeFileDifference } from "./compare.ts";

function tarOf(files: Readonly<Record<string, string>>, mtime = 0): Buffer {
  const entries = Object.entries(files).map(
    ([path, text]): ArchiveEntry => ({
      path,
      content: { kind: "bytes", bytes: Buffer.from(text) },
    }),
  );
  return formatTar(entries, mtime);
}

test.each([
  { one: "abc", two: "abd", want: "f: differs at byte 2 (3 and 3 bytes)" },
  { one: "abc", two: "abcd", want: "f: differs at byte 3 (3 and 4 bytes)" },
  { one: "x".repeat(200_000), two: `${"x".repeat(150_000)}y`, want: "f: differs at byte 150000" },
])("$want", ({ one, two, want }) => {
  expect(describeFileDifference("f", Buffer.from(one), Buffer.from(two))).toContain(want);
});

test.each([
  { two: tarOf({ a: "1", b: "2!" }), want: "in it `b` differs at byte 1" },
  { two: tarOf({ a: "1" }), want: "`b` is in one of them only" },
  { two: tarOf({ a: "1", b: "2", c: "3" }), want: "`c` is in one of them only" },
  {
    two: tarOf({ a: "1", b: "2" }, 5),
    want: "its files are identical; order, modes or times differ",
  },
])("inside an archive: $want", ({ two, want }) => {
  const one = tarOf({ a: "1", b: "2" });
  expect(
    describeFileDifference("f.tar.zst", zstdCompressSync(one), zstdCompressSync(two)),
  ).toContain(want);
  expect(describeFileDifference("f.tar.gz", gzipSync(one), gzipSync(two))).toContain(want);
});

test("files are compared by path; a file in only one folder is a difference", async () => {
  const [one, two] = ["", ""].map(() => mkdtempSync(join(tmpdir(), "compare-"))) as [
    string,
    string,
  ];
  for (const folder of [one, two]) {
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub/same"), "s");
    writeFileSync(join(folder, "skipped"), folder);
  }
  writeFileSync(join(one, "first"), "");
  writeFileSync(join(two, "second"), "");
  writeFileSync(join(one, "both"), "1");
  writeFileSync(join(two, "both"), "2");
  const { same, differences } = await compareFolders(one, two, (it) => it !== "skipped");
  expect(same.map((it) => it.path)).toEqual(["sub/same"]);
  expect(same[0]?.sha256).toMatch(/^043a718774c572bd/);
  expect(differences).toEqual([
    "both: differs at byte 0 (1 and 1 bytes)",
    "first: made the first time only",
    "second: made the second time only",
  ]);
});
