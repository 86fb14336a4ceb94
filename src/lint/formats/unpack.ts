// Compressed files of an image, unpacked in memory.
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { errnoOf } from "../../errors.ts";

const UNPACK = { gzip: gunzipSync, zstd: zstdDecompressSync };

export type Compression = keyof typeof UNPACK;

/** More than any initramfs has: what is larger is a mistake, or an attack on our memory. */
const UNPACKED_MAX = 512 << 20;

export function canUnpack(compression: string): compression is Compression {
  return compression in UNPACK;
}

/** Undefined when the data is damaged, or far too large. */
export function unpack(bytes: Buffer, compression: Compression): Buffer | undefined {
  try {
    return UNPACK[compression](bytes, { maxOutputLength: UNPACKED_MAX });
  } catch (error) {
    // zlib's codes are not names of system errors: Z_DATA_ERROR, ERR_BUFFER_TOO_LARGE.
    if (errnoOf(error) === undefined && error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
