// Whether two files of one size have the same bytes.
import { type FileHandle, open } from "node:fs/promises";

const CHUNK_BYTES = 256 << 10;

export async function haveSameBytes(one: string, other: string): Promise<boolean> {
  const a = await open(one, "r");
  try {
    const b = await open(other, "r");
    try {
      return await compareBytes(a, b);
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

async function compareBytes(a: FileHandle, b: FileHandle): Promise<boolean> {
  const [left, right] = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
  for (;;) {
    const [read, also] = await Promise.all([fill(a, left), fill(b, right)]);
    if (read !== also || !left.subarray(0, read).equals(right.subarray(0, also))) return false;
    if (read < CHUNK_BYTES) return true;
  }
}

/** Reads until the buffer is full or the file ends. */
async function fill(file: FileHandle, buffer: Buffer): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
