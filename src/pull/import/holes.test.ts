import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import type { TarEntry } from "../../tar/entry.ts";
import type { Hole, TarItem } from "../../tar/reader.ts";
import { filledContent } from "./holes.ts";

const ENTRY: TarEntry = {
  ...{ type: "file", path: "x", linkPath: "", mode: 0o644, uid: 0, gid: 0 },
  ...{ sizeBytes: 0, mtimeEpoch: 0, records: new Map() },
};
const MEGABYTE = 1 << 20;

function sparse(...parts: readonly (string | number)[]): TarItem {
  async function* content(): AsyncGenerator<Buffer | Hole> {
    for (const it of parts) {
      yield typeof it === "string" ? Buffer.from(it) : { kind: "hole", length: it };
    }
  }
  return { entry: ENTRY, isSparse: true, content: content() };
}

async function piecesOf(item: TarItem): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const it of filledContent(item, tmpdir())) pieces.push(it);
  return pieces;
}

test("content without holes is handed on as it is", () => {
  const content = [Buffer.from("x")];
  expect(filledContent({ entry: ENTRY, isSparse: false, content }, "nowhere")).toBe(content);
});

test("a hole is as many zeros, where it was", async () => {
  const pieces = await piecesOf(sparse(2, "ab", 3, "c", 0));
  expect(Buffer.concat(pieces)).toEqual(Buffer.from("\0\0ab\0\0\0c"));
});

test.each([MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE - 1])(
  "a hole of %i bytes comes in pieces of at most 1 MiB",
  async (length) => {
    const sizes = (await piecesOf(sparse(length))).map((it) => it.length);
    expect(Math.max(...sizes)).toBe(MEGABYTE);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.reduce((sum, it) => sum + it, 0)).toBe(length);
  },
);

test("a hole larger than the room left is refused before its first zero", async () => {
  const { blocks, bsize } = statfsSync(tmpdir());
  const pieces: Buffer[] = [];
  const fill = async () => {
    for await (const it of filledContent(sparse(blocks * bsize + 1), tmpdir())) pieces.push(it);
  };
  await expect(fill()).rejects.toMatchObject({ kind: "space" });
  expect(pieces).toEqual([]);
});
