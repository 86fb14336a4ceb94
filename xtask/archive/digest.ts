// The digest of a file that is too large to hold.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

/** The digest of a file's content, by the algorithm's name as OpenSSL has it. */
export async function digestFile(algorithm: string, path: string): Promise<Buffer> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  return hash.digest();
}
