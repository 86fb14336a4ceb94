// Subresource integrity as in lockfiles. Has no dependencies, because the installer uses it.
import { createHash } from "node:crypto";

/** The digests of the strongest algorithm in an integrity; content that matches one of them is intact. */
export interface Integrity {
  readonly algorithm: string;
  /** In base64; not empty. */
  readonly digests: readonly string[];
}

/** Undefined if there is no SHA-2 digest; SHA-1 alone protects nothing. */
export function parseIntegrity(text: string): Integrity | undefined {
  const all = text.split(/\s+/).flatMap((it) => {
    const [, algorithm, digest] = /^(sha512|sha384|sha256)-([A-Za-z0-9+/]+=*)/.exec(it) ?? [];
    return algorithm && digest ? [{ algorithm, digest }] : [];
  });
  const [algorithm] = all.map((it) => it.algorithm).sort((a, b) => b.localeCompare(a));
  if (algorithm === undefined) return undefined;
  const digests = all.filter((it) => it.algorithm === algorithm).map((it) => it.digest);
  return { algorithm, digests };
}

/** The digest of `bytes` if it is one of `want`; otherwise undefined. */
export function matchIntegrity(want: Integrity, bytes: Uint8Array): string | undefined {
  const got = digestOf(want, bytes);
  return want.digests.includes(got) ? `${want.algorithm}-${got}` : undefined;
}

/** Describes bytes that match nothing: `want sha512-…, got sha512-…`. */
export function describeMismatch(want: Integrity, bytes: Uint8Array): string {
  const wanted = want.digests.map((it) => `${want.algorithm}-${it}`).join(" or ");
  return `want ${wanted}, got ${want.algorithm}-${digestOf(want, bytes)}`;
}

function digestOf({ algorithm }: Integrity, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("base64");
}
