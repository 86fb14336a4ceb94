// Content digests as OCI writes them: an algorithm and a hash in hexadecimal.
import { BootcError } from "../errors.ts";

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** The digest in `text`, or an error that names `what` contains it. Only SHA-256 is supported. */
export function requireDigest(text: unknown, what: string): string {
  if (typeof text === "string" && SHA256.test(text)) return text;
  const shown = typeof text === "string" ? `\`${text.slice(0, 80)}\`` : "nothing";
  throw new BootcError(`${what} has ${shown} where a SHA-256 digest belongs`, {
    kind: "integrity",
  });
}

/** The hexadecimal part of a digest: the file name in a blob directory. */
export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** A digest just long enough for people to tell layers apart. */
export function shortDigest(digest: string): string {
  return hexOf(digest).slice(0, 12);
}
