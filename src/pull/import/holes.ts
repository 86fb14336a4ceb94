// Fills the holes of sparse files with zeros, as commits store them.
import { statfsSync } from "node:fs";
import { BootcError } from "../../errors.ts";
import type { Hole, TarItem } from "../../tar/reader.ts";
import type { Content } from "../store/sink.ts";

const ZEROS = Buffer.alloc(1 << 20);

/** The content of an entry without holes. They are filled piece by piece, since one may exceed the memory. */
export function filledContent(item: TarItem, repo: string): Content {
  return item.isSparse ? fillHoles(item.content, repo) : item.content;
}

async function* fillHoles(
  content: AsyncIterable<Buffer | Hole>,
  repo: string,
): AsyncGenerator<Buffer> {
  for await (const part of content) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* zeros(part.length, repo);
  }
}

/** A few bytes of a tar can ask for a petabyte: that is refused before it fills the disk. */
function* zeros(length: number, repo: string): Generator<Buffer> {
  const { bavail, bsize } = statfsSync(repo);
  if (length > bavail * bsize) {
    throw new BootcError("no room left for a sparse file, whose holes are stored as zeros", {
      kind: "space",
    });
  }
  for (let left = length; left > 0; left -= ZEROS.length) {
    yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
  }
}
