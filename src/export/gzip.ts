// gzip by several threads: blocks are compressed at the same time, and the result depends on none of that.
import { promisify } from "node:util";
import { constants, crc32, deflateRaw } from "node:zlib";

const deflate = promisify(deflateRaw);

/** Small enough to keep all threads busy, large enough for the seams not to matter. */
const BLOCK_BYTES = 1 << 20;
/** How far back deflate looks. */
const WINDOW_BYTES = 1 << 15;
/** How many blocks of one stream are under way. */
const BLOCKS_AHEAD = 4;

/** Without a time or a name, and with an unknown system: nothing but the content decides. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty block that says it is the last. */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);

/** `source` as one gzip member. The same bytes and level give the same result, however they are cut. */
export async function* gzipped(
  source: AsyncIterable<readonly Uint8Array[]>,
  level: number,
): AsyncGenerator<Buffer> {
  yield HEADER;
  const underWay: Promise<Buffer>[] = [];
  let checksum = 0;
  let length = 0;
  let before: Buffer | undefined;
  try {
    for await (const block of blocksOf(source)) {
      checksum = crc32(block, checksum);
      length += block.length;
      underWay.push(compressBlock(block, { before, level }));
      before = block;
      if (underWay.length >= BLOCKS_AHEAD) yield await takeFirst(underWay);
    }
    while (underWay.length > 0) yield await takeFirst(underWay);
  } finally {
    // Nobody waits for these when the source has failed; their failures would go unhandled.
    await Promise.allSettled(underWay);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  yield Buffer.concat([LAST_BLOCK, trailer]);
}

async function takeFirst(underWay: Promise<Buffer>[]): Promise<Buffer> {
  const [first] = underWay;
  if (first === undefined) throw new Error("unreachable: no block is under way");
  const bytes = await first;
  underWay.shift();
  return bytes;
}

interface BlockOptions {
  /** The block before, whose end deflate may refer to. */
  readonly before: Buffer | undefined;
  readonly level: number;
}

async function compressBlock(block: Buffer, { before, level }: BlockOptions): Promise<Buffer> {
  return await deflate(block, {
    level,
    memLevel: 9,
    chunkSize: BLOCK_BYTES / 16,
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(before === undefined ? {} : { dictionary: before.subarray(-WINDOW_BYTES) }),
  });
}

/** The bytes of `source` in blocks of equal size, of which the last may be shorter. */
async function* blocksOf(source: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<Buffer> {
  const nextBuffer = createRing();
  let block = nextBuffer();
  let used = 0;
  for await (const pieces of source) {
    for (let piece of pieces) {
      while (piece.length > 0) {
        const part = piece.subarray(0, BLOCK_BYTES - used);
        block.set(part, used);
        used += part.length;
        piece = piece.subarray(part.length);
        if (used < BLOCK_BYTES) continue;
        yield block;
        block = nextBuffer();
        used = 0;
      }
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

/** Buffers in turn: new ones for each block would take up memory faster than it is collected. */
function createRing(): () => Buffer {
  // Those under way, the one before the first of these, and the one that is being filled.
  const buffers: Buffer[] = [];
  let next = 0;
  return () => {
    const buffer = buffers[next] ?? Buffer.allocUnsafe(BLOCK_BYTES);
    buffers[next] = buffer;
    next = (next + 1) % (BLOCKS_AHEAD + 2);
    return buffer;
  };
}
