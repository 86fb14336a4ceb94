// Writes an answer that is not text to standard output, no faster than it is read.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Context } from "./context.ts";

export async function writeBytes(
  { signal }: Pick<Context, "signal">,
  source: AsyncIterable<readonly Uint8Array[]>,
): Promise<void> {
  await pipeline(Readable.from(pieces(source)), process.stdout, { end: false, signal });
}

async function* pieces(source: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<Uint8Array> {
  for await (const batch of source) yield* batch;
}
