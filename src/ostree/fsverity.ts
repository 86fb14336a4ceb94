// The digest by which fs-verity names a file: SHA-256, blocks of 4096 bytes, without a salt.
// Format: https://docs.kernel.org/filesystems/fsverity.html
import { createHash } from "node:crypto";

const BLOCK_BYTES = 4096;
const HASH_BYTES = 32;

export interface VerityDigest {
  update(chunk: Uint8Array): void;
  /** The digest, in hexadecimal; nothing may be added afterwards. */
  finish(): string;
}

/** A tree of hashes over the blocks of a file, level by level; each level collects one block at a time. */
export function startVerityDigest(): VerityDigest {
  const levels: Level[] = [];
  let sizeBytes = 0;
  const add = (depth: number, bytes: Uint8Array): void => {
    // An empty file has no blocks, and so no hash.
    if (bytes.length === 0) return;
    const level = levels[depth] ?? { block: Buffer.alloc(BLOCK_BYTES), filled: 0, blocks: 0 };
    levels[depth] = level;
    for (let at = 0; at < bytes.length; ) {
      // A full block waits until more comes: the last block of a level may be its only one.
      if (level.filled === BLOCK_BYTES) add(depth + 1, close(level));
      const room = Math.min(BLOCK_BYTES - level.filled, bytes.length - at);
      level.block.set(bytes.subarray(at, at + room), level.filled);
      level.filled += room;
      at += room;
    }
  };
  const rootHash = (): Buffer => {
    for (let depth = 0; ; depth++) {
      const level = levels[depth];
      if (level === undefined) return Buffer.alloc(HASH_BYTES);
      const hash = close(level);
      if (level.blocks === 1) return hash;
      add(depth + 1, hash);
    }
  };
  return {
    update(chunk) {
      sizeBytes += chunk.length;
      add(0, chunk);
    },
    finish: () => sha256Of(formatDescriptor(sizeBytes, rootHash())).toString("hex"),
  };
}

interface Level {
  readonly block: Buffer;
  filled: number;
  /** How many were hashed. */
  blocks: number;
}

/** Hashes the block that a level has collected, padded with zeros, and begins the next one. */
function close(level: Level): Buffer {
  level.block.fill(0, level.filled);
  level.filled = 0;
  level.blocks += 1;
  return sha256Of(level.block);
}

function sha256Of(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

const SHA256 = 1;

/** A `struct fsverity_descriptor`, whose hash is the digest. */
function formatDescriptor(sizeBytes: number, rootHash: Buffer): Buffer {
  const descriptor = Buffer.alloc(256);
  descriptor.writeUInt8(1, 0); // its version
  descriptor.writeUInt8(SHA256, 1);
  descriptor.writeUInt8(Math.log2(BLOCK_BYTES), 2);
  descriptor.writeBigUInt64LE(BigInt(sizeBytes), 8);
  rootHash.copy(descriptor, 16);
  return descriptor;
}
