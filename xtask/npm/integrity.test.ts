import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { describeMismatch, matchIntegrity, parseIntegrity } from "./integrity.ts";

const BYTES = Buffer.from("a tarball");
const digest = (algorithm: string) => createHash(algorithm).update(BYTES).digest("base64");
const SHA512 = `sha512-${digest("sha512")}`;

test.each([
  { text: "sha1-AAAA sha512-BBBB", want: { algorithm: "sha512", digests: ["BBBB"] } },
  { text: "sha256-AA== sha512-BB==", want: { algorithm: "sha512", digests: ["BB=="] } },
  { text: "sha512-AA==?opt sha512-BB==", want: { algorithm: "sha512", digests: ["AA==", "BB=="] } },
  { text: "sha1-AAAA", want: undefined },
  { text: "", want: undefined },
])("`$text`", ({ text, want }) => {
  expect(parseIntegrity(text)).toEqual(want);
});

test.each([
  { text: SHA512, want: SHA512 },
  { text: `sha512-AAAA ${SHA512}`, want: SHA512 },
  { text: `${SHA512} sha512-AAAA`, want: SHA512 },
  { text: `sha512-AAAA sha256-${digest("sha256")}`, want: undefined },
])("of several of one strength any may match: $text", ({ text, want }) => {
  const integrity = parseIntegrity(text);
  expect(integrity && matchIntegrity(integrity, BYTES)).toBe(want);
});

test("what matches nothing is reported with all that would have", () => {
  const told = describeMismatch({ algorithm: "sha512", digests: ["AA", "BB"] }, BYTES);
  expect(told).toBe(`want sha512-AA or sha512-BB, got ${SHA512}`);
});
