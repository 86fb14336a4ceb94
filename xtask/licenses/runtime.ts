// The parts of Node's executable and their licences, checked against the LICENSE of its release.
import { BootcError } from "../../src/errors.ts";

export interface RuntimePart {
  /** As the runtime's LICENSE names it, or as `process.versions` does where LICENSE is silent. */
  readonly name: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Its key in `process.versions`, if it has a version there. */
  readonly key?: string;
}

/** Compiled into `bin/node`, according to the LICENSE of Node 26.10.0 and the sources that it names. */
export const PARTS_INSIDE: readonly RuntimePart[] = [
  { name: "Acorn", license: "MIT", key: "acorn" },
  { name: "c-ares", license: "MIT", key: "ares" },
  { name: "merve", license: "MIT", key: "merve" },
  { name: "ittapi", license: "BSD-3-Clause" },
  { name: "amaro", license: "MIT", key: "amaro" },
  { name: "swc", license: "Apache-2.0" },
  // The word lists of its break iterators have their own licences.
  {
    name: "ICU",
    license: "Unicode-3.0 AND BSD-2-Clause AND BSD-3-Clause AND NAIST-2003",
    key: "icu",
  },
  { name: "libuv", license: "MIT AND BSD-2-Clause AND ISC", key: "uv" },
  { name: "LIEF", license: "Apache-2.0", key: "lief" },
  { name: "llhttp", license: "MIT", key: "llhttp" },
  { name: "undici", license: "MIT", key: "undici" },
  { name: "OpenSSL", license: "Apache-2.0", key: "openssl" },
  { name: "Punycode.js", license: "MIT" },
  { name: "V8", license: "BSD-3-Clause AND Apache-2.0", key: "v8" },
  { name: "SipHash", license: "MIT OR CC0-1.0" },
  { name: "zlib", license: "Zlib", key: "zlib" },
  { name: "simdjson", license: "Apache-2.0", key: "simdjson" },
  { name: "simdutf", license: "MIT", key: "simdutf" },
  { name: "ada", license: "MIT", key: "ada" },
  { name: "minimatch", license: "BlueOak-1.0.0" },
  { name: "inspector_protocol", license: "BSD-3-Clause" },
  { name: "nghttp2", license: "MIT", key: "nghttp2" },
  { name: "caja", license: "Apache-2.0" },
  { name: "brotli", license: "MIT", key: "brotli" },
  { name: "zstd", license: "BSD-3-Clause", key: "zstd" },
  { name: "HdrHistogram", license: "BSD-2-Clause OR CC0-1.0" },
  { name: "node-heapdump", license: "ISC" },
  { name: "rimraf", license: "ISC" },
  { name: "uvwasi", license: "MIT", key: "uvwasi" },
  { name: "ngtcp2", license: "MIT", key: "ngtcp2" },
  { name: "nghttp3", license: "MIT", key: "nghttp3" },
  { name: "node-fs-extra", license: "MIT" },
  { name: "on-exit-leak-free", license: "MIT" },
  { name: "sonic-boom", license: "MIT" },
];

/** Not listed in LICENSE, but with a version in `process.versions`. */
export const PARTS_UNLISTED: readonly RuntimePart[] = [
  { name: "sqlite", license: "blessing", key: "sqlite" },
  { name: "libffi", license: "MIT", key: "libffi" },
  { name: "nbytes", license: "MIT", key: "nbytes" },
  { name: "ncrypto", license: "MIT", key: "ncrypto" },
];

/** Listed in LICENSE, but not in `bin/node`: package managers, and tools that build and test Node. */
const PARTS_OUTSIDE: readonly string[] = [
  "corepack",
  "postject",
  "npm",
  "GYP",
  "jinja2",
  "markupsafe",
  "cpplint.py",
  "gypi_to_gn.py",
  "gtest",
];

/** The licence of Node's own code. */
export const RUNTIME_LICENSE = "MIT";

/**
 * Fails if LICENSE lists parts that the tables above lack, or no longer lists one of theirs, and names all of
 * them: with a new version of Node, somebody has to examine its parts.
 */
export function requireKnownParts(licenseText: string): void {
  const listed = [...licenseText.matchAll(/^- (.+?), located at /gm)].map(([, name = ""]) => name);
  const known = [...PARTS_INSIDE.map((it) => it.name), ...PARTS_OUTSIDE];
  const problems = [
    ...listed.filter((it) => !known.includes(it)).map((it) => `\`${it}\` is new`),
    ...known.filter((it) => !listed.includes(it)).map((it) => `\`${it}\` is gone`),
  ];
  if (problems.length === 0) return;
  throw new BootcError(`the runtime's LICENSE has changed: ${problems.join(", ")}`, {
    hint: "bring the tables in xtask/licenses/runtime.ts up to date",
  });
}
