import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { type ExpectedBlob, openLayerBlob } from "./blob.ts";

const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Hardly compressible, and longer than a few pieces. */
const TAR = Buffer.concat(
  Array.from({ length: 20_000 }, (_, i) => createHash("sha256").update(`${i}`).digest()),
);
const GZIP = gzipSync(TAR);
const ZSTD = zstdCompressSync(TAR);

async function contentOf(tar: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const it of tar) pieces.push(it);
  return Buffer.concat(pieces);
}

/** Reads a blob that is what its digest says, unless `expected` tells otherwise. */
async function read(
  bytes: Buffer,
  expected: Partial<ExpectedBlob> = {},
  pieces: readonly Buffer[] = [bytes],
): Promise<Buffer> {
  const source = Readable.from(pieces, { objectMode: false });
  const blob = openLayerBlob(source, { digest: digestOf(bytes), ...expected });
  return await contentOf(blob.tar);
}

test.each([
  ["plain", TAR],
  ["gzip", GZIP],
  ["zstd", ZSTD],
])("the tar of a %s blob, from a file as from a stream", async (_, bytes) => {
  const folder = mkdtempSync(join(tmpdir(), "blob-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "blob");
  writeFileSync(file, bytes);
  for (const source of [file, Readable.from([bytes], { objectMode: false })]) {
    const expected = { digest: digestOf(bytes), sizeBytes: bytes.length, diffId: digestOf(TAR) };
    const blob = openLayerBlob(source, expected);
    expect((await contentOf(blob.tar)).equals(TAR)).toBe(true);
    expect(blob.diffId()).toBe(digestOf(TAR));
  }
});

test("only an announced diff-id proves the tar", () => {
  const empty = () => Readable.from([]);
  expect(openLayerBlob(empty(), { digest: "", diffId: "sha256:a" }).isProven).toBe(true);
  expect(openLayerBlob(empty(), { digest: "" }).isProven).toBe(false);
});

test.each([0, 1, 3])("a blob of %i bytes is plain", async (length) => {
  const bytes = GZIP.subarray(0, length);
  expect(await read(bytes)).toEqual(bytes);
});

test("the form of a blob is found in pieces of one byte as well", async () => {
  const small = gzipSync(Buffer.from("small"));
  const pieces = [...small].map((it) => Buffer.of(it));
  expect(await read(small, {}, pieces)).toEqual(Buffer.from("small"));
});

test("streams one after another, and frames to skip, belong to the blob", async () => {
  const twice = Buffer.concat([gzipSync(Buffer.from("a")), gzipSync(Buffer.from("b"))]);
  expect((await read(twice)).toString()).toBe("ab");
  const skipped = Buffer.from("502a4d1802000000ffff", "hex");
  const frames = Buffer.concat([skipped, zstdCompressSync(Buffer.from("a"))]);
  expect((await read(frames)).toString()).toBe("a");
});

test("a byte behind a gzip stream is found in pieces of one byte as well", async () => {
  const small = Buffer.concat([gzipSync(Buffer.from("small")), Buffer.of(7)]);
  const pieces = [...small].map((it) => Buffer.of(it));
  await expect(read(small, {}, pieces)).rejects.toThrow("data follows its gzip stream");
  await expect(read(small.subarray(0, -2), {}, pieces.slice(0, -2))).rejects.toThrow("cut off");
});

test("progress is counted in bytes of the blob", async () => {
  const seen: number[] = [];
  const half = GZIP.length >> 1;
  const pieces = [GZIP.subarray(0, half), GZIP.subarray(half)];
  await read(GZIP, { onProgress: (bytes) => void seen.push(bytes) }, pieces);
  expect(seen).toEqual([half, GZIP.length]);
});

test.each<[what: string, bytes: Buffer, expected: Partial<ExpectedBlob>, message: string]>([
  ["that is larger", TAR, { sizeBytes: TAR.length - 1 }, "is larger than"],
  ["that is smaller", TAR, { sizeBytes: TAR.length + 1 }, "is smaller than"],
  ["with another digest", GZIP, { digest: digestOf(TAR) }, "has the digest"],
  ["of another tar", ZSTD, { diffId: digestOf(ZSTD) }, "inside, not"],
  ["whose gzip stream is cut off", GZIP.subarray(0, -9), {}, "its gzip stream is cut off"],
  ["whose zstd stream is cut off", ZSTD.subarray(0, -9), {}, "its zstd stream is cut off"],
  [
    "with data behind its gzip stream",
    Buffer.concat([GZIP, Buffer.from("data")]),
    {},
    "data follows its gzip",
  ],
  ...[0, 1, 0x1f, 0xff].map((byte): [string, Buffer, Partial<ExpectedBlob>, string] => [
    `with the byte ${byte} behind its gzip stream`,
    Buffer.concat([GZIP, Buffer.of(byte)]),
    {},
    "data follows its gzip stream",
  ]),
  ...[0, 1, 0x1f, 0xff].map((byte): [string, Buffer, Partial<ExpectedBlob>, string] => [
    `with the byte ${byte} behind its zstd stream`,
    Buffer.concat([ZSTD, Buffer.of(byte)]),
    {},
    "data follows its zstd stream",
  ]),
  ["with data behind its zstd stream", Buffer.concat([ZSTD, Buffer.alloc(9)]), {}, "zstd stream"],
  [
    "with a wrong checksum",
    flipped(GZIP, GZIP.length - 8),
    {},
    "the checksum at the end of its gzip",
  ],
  ["with a wrong length", flipped(GZIP, GZIP.length - 1), {}, "the length at the end of its gzip"],
])("refused: a blob %s", async (_, bytes, expected, message) => {
  await expect(read(bytes, expected)).rejects.toMatchObject({
    kind: "integrity",
    message: expect.stringContaining(message),
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

test("nothing is taken beyond the announced size", async () => {
  let taken = 0;
  function* pieces(): Generator<Buffer> {
    for (; taken < 1000; taken++) yield Buffer.alloc(1 << 16);
  }
  const blob = openLayerBlob(Readable.from(pieces()), { digest: "sha256:a", sizeBytes: 1 << 16 });
  await expect(contentOf(blob.tar)).rejects.toThrow("larger");
  expect(taken).toBeLessThan(100);
});

test("who stops reading closes the blob", async () => {
  const source = Readable.from([TAR, TAR]);
  for await (const _ of openLayerBlob(source, { digest: "" }).tar) break;
  expect(source.destroyed).toBe(true);
});

test("what the source fails with is no fault of the blob", async () => {
  const broken = Readable.from(
    (async function* () {
      yield GZIP.subarray(0, 1000);
      throw Object.assign(new Error("input/output error"), { code: "EIO" });
    })(),
  );
  const { tar } = openLayerBlob(broken, { digest: digestOf(GZIP) });
  await expect(contentOf(tar)).rejects.toMatchObject({ code: "EIO" });
});
