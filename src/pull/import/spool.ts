// A temporary file for content that comes before the entry it belongs to.
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { removeFileSync } from "../../system/files.ts";

/** A part of the spool, to be read when it is its turn. */
export interface SpoolRange {
  readonly start: number;
  readonly length: number;
}

export interface Spool {
  /** Where the next piece will be. */
  position(): number;
  append(piece: Uint8Array): void;
  /** In place of so many zeros, which then take no room. */
  skip(bytes: number): void;
  /** The content of a range, in pieces. */
  read(range: SpoolRange): Iterable<Buffer>;
  close(): void;
}

const PIECE = 1 << 18;

/** The file is made with the first byte, under a name that is gone at once. */
export function createSpool(path: string): Spool {
  let file: number | undefined;
  let length = 0;

  function open(): number {
    if (file !== undefined) return file;
    file = openSync(path, "wx+", 0o600);
    removeFileSync(path);
    return file;
  }

  return {
    position: () => length,
    append(piece) {
      const to = open();
      for (let done = 0; done < piece.length; ) {
        done += writeSync(to, piece, done, piece.length - done, length + done);
      }
      length += piece.length;
    },
    skip(bytes) {
      ftruncateSync(open(), length + bytes);
      length += bytes;
    },
    *read({ start, length: total }) {
      for (let done = 0; done < total; ) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE, total - done));
        const got = file === undefined ? 0 : readSync(file, piece, 0, piece.length, start + done);
        if (got === 0) throw new Error("unreachable: the spool is shorter than what was written");
        done += got;
        yield piece.subarray(0, got);
      }
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
