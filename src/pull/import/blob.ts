// A layer's blob as the tar inside it: decompressed by what it is, and hashed on both sides.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BootcError, messageOf } from "../../errors.ts";

export interface ExpectedBlob {
  /** `sha256:…` of the blob as stored. */
  readonly digest: string;
  readonly sizeBytes?: number | undefined;
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId?: string | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface LayerBlob {
  /** The tar, in pieces of its reader's own; throws (`integrity`) when the blob is not as expected. */
  readonly tar: AsyncIterable<Buffer>;
  /** The tar is compared with an announced diff-id. */
  readonly isProven: boolean;
  /** After the last piece: `sha256:…` of the tar. */
  diffId(): string;
}

const READ_BYTES = 1 << 17;
/** Larger pieces are not faster, and leave more memory to be collected. */
const INFLATED_BYTES = 1 << 17;

export function openLayerBlob(blob: string | Readable, expected: ExpectedBlob): LayerBlob {
  const source =
    typeof blob === "string" ? createReadStream(blob, { highWaterMark: READ_BYTES }) : blob;
  const inflated = createHash("sha256");
  let diffId = "";
  async function* tar(): AsyncGenerator<Buffer> {
    const compressed = readHashed(source, expected);
    try {
      for await (const piece of decompress(compressed)) {
        inflated.update(piece);
        yield piece;
      }
    } finally {
      source.destroy();
    }
    diffId = `sha256:${inflated.digest("hex")}`;
    if (expected.diffId !== undefined && diffId !== expected.diffId) {
      throw new BootcError(
        `the layer \`${expected.digest}\` is \`${diffId}\` inside, not \`${expected.diffId}\``,
        { kind: "integrity", hint: "the image's config does not belong to its layers" },
      );
    }
  }
  return { tar: tar(), isProven: expected.diffId !== undefined, diffId: () => diffId };
}

interface Hashed {
  readonly pieces: AsyncGenerator<Buffer>;
  /** Bytes that went through. */
  bytes(): number;
}

function readHashed(source: Readable, expected: ExpectedBlob): Hashed {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const piece of source as AsyncIterable<Buffer>) {
      hash.update(piece);
      bytes += piece.length;
      if (expected.sizeBytes !== undefined && bytes > expected.sizeBytes) break;
      expected.onProgress?.(bytes);
      yield piece;
    }
    if (expected.sizeBytes !== undefined && bytes !== expected.sizeBytes) {
      const than = bytes > expected.sizeBytes ? "larger" : "smaller";
      throw mismatch(expected, `is ${than} than the ${expected.sizeBytes} bytes announced`);
    }
    const digest = `sha256:${hash.digest("hex")}`;
    if (digest !== expected.digest) throw mismatch(expected, `has the digest \`${digest}\``);
  }
  return { pieces: pieces(), bytes: () => bytes };
}

function mismatch({ digest }: ExpectedBlob, what: string): BootcError {
  return new BootcError(`the layer \`${digest}\` ${what}`, {
    kind: "integrity",
    hint: "it was damaged on its way or in the registry; try again",
  });
}

/** What zlib and zstd complain of, and what that means for who has the layer; the first match decides. */
const COMPLAINTS: readonly (readonly [RegExp, (format: string) => string])[] = [
  [/^incorrect data check/, () => "the checksum at the end of its gzip stream is wrong"],
  [/^incorrect length check/, () => "the length at the end of its gzip stream is wrong"],
  // The first header was right, or nobody had taken it for gzip.
  [/^incorrect header check/, followedByData],
  [/^unexpected end of file/, (format) => `its ${format} stream is cut off`],
  [/doesn't match checksum/, () => "the checksum in its zstd stream is wrong"],
  [
    /^Frame requires too much memory/,
    () => "its zstd stream needs a window of more than 128 MiB to be decompressed",
  ],
];

function followedByData(format: string): string {
  return `data follows its ${format} stream`;
}

/** What zlib says about a damaged stream is told in our words; everything else is passed on. */
function explainDamage(cause: unknown, format: string): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (!/^(Z_|ZSTD_|ERR_ZSTD)/.test(code)) return cause;
  const said = messageOf(cause);
  if (/MEM_ERROR|memory_allocation/.test(code)) {
    return new BootcError(`there is not enough memory to decompress it: ${said}`);
  }
  const known = COMPLAINTS.find(([pattern]) => pattern.test(said));
  const what = known?.[1](format) ?? `its ${format} stream is damaged: ${said}`;
  return new BootcError(what, { kind: "integrity" });
}

/** Sniffs, because blobs out of containers-storage are labelled as compressed and are not. */
async function* decompress(compressed: Hashed): AsyncGenerator<Buffer> {
  const { first, rest } = await takeFirst(compressed.pieces);
  const format = formatOf(first);
  if (format === undefined) {
    if (first.length > 0) yield first;
    yield* rest;
    return;
  }
  const engine = ENGINES[format]();
  let last = first;
  async function* all(): AsyncGenerator<Buffer> {
    yield first;
    for await (const piece of rest) {
      const isLong = piece.length > LENGTH_BYTES;
      last = isLong ? piece : Buffer.concat([last.subarray(-LENGTH_BYTES), piece]);
      yield piece;
    }
  }
  pipeline(Readable.from(all(), { objectMode: false }), engine, () => {});
  let inflatedBytes = 0;
  try {
    for await (const piece of engine as AsyncIterable<Buffer>) {
      inflatedBytes += piece.length;
      yield piece;
    }
  } catch (cause) {
    if (format === "gzip" && endsBeforeLastByte(last, inflatedBytes)) {
      throw new BootcError(followedByData(format), { kind: "integrity" });
    }
    throw explainDamage(cause, format);
  }
  // Both engines stop in silence at some kinds of garbage.
  if (engine.bytesWritten !== compressed.bytes()) {
    throw new BootcError(followedByData(format), { kind: "integrity" });
  }
}

/** The length of the content, at the end of a gzip stream. */
const LENGTH_BYTES = 4;

/**
 * Whether a gzip stream with so much content has one byte behind it, which zlib takes for the beginning of
 * another stream that is cut off. `last` are the last bytes of the blob.
 */
function endsBeforeLastByte(last: Buffer, inflatedBytes: number): boolean {
  const at = last.length - LENGTH_BYTES - 1;
  return at >= 0 && last.readUInt32LE(at) === inflatedBytes % 2 ** 32;
}

async function takeFirst(pieces: AsyncGenerator<Buffer>) {
  let first: Buffer = Buffer.alloc(0);
  while (first.length < 4) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    first = first.length === 0 ? value : Buffer.concat([first, value]);
  }
  return { first, rest: pieces };
}

const ENGINES = {
  gzip: () => createGunzip({ chunkSize: INFLATED_BYTES }),
  zstd: () => createZstdDecompress({ chunkSize: INFLATED_BYTES }),
} as const;

function formatOf(first: Buffer): keyof typeof ENGINES | undefined {
  const magic = first.length < 4 ? 0 : first.readUInt32LE(0);
  if ((magic & 0xffff) === 0x8b1f) return "gzip";
  const isZstd = magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
  return isZstd ? "zstd" : undefined;
}
