import fc from "fast-check";
import { expect, test } from "vitest";
import { Document, parse } from "yaml";
import { formatYaml } from "./yaml-out.ts";

const DOCUMENT = {
  apiVersion: "org.containers.bootc/v1",
  metadata: { name: "host", labels: {} },
  spec: { image: { image: "quay.io/example/os:latest", transport: "registry" }, list: [] },
  status: {
    staged: null,
    timestamp: "2026-11-23T14:02:01Z",
    version: "41.20261123.0",
    title: "Example OS 41 (Server)",
    count: -3,
    isPinned: false,
    others: [{ image: "a", serial: 0 }, "x", [1, [2]], null],
  },
};

test("a document looks as the library writes it", () => {
  expect(formatYaml(DOCUMENT)).toBe(new Document(DOCUMENT).toString({ lineWidth: 0 }).trimEnd());
});

test("an ostree remote's signature is tagged", () => {
  expect(formatYaml({ image: { signature: { ostreeRemote: "fedora" } } })).toBe(
    "image:\n  signature: !ostreeRemote fedora",
  );
  expect(formatYaml({ signature: "insecure" })).toBe("signature: insecure");
});

test("undefined values are left out", () => {
  expect(formatYaml({ a: undefined, b: { c: undefined } })).toBe("b: {}");
});

test.each([
  "",
  " ",
  "a ",
  "null",
  "~",
  "True",
  "12",
  "-1.5e3",
  ".5",
  "0x1f",
  ".nan",
  "a: b",
  "a:",
  "a #b",
  "#a",
  "- a",
  "...",
  "--- a",
  "&a",
  "*a",
  "!a",
  "%a",
  "@a",
  "`a`",
  "{a}",
  "[a]",
  "'a'",
  '"a"',
  "a\nb",
  "a\tb",
  "\u0085",
  "\u2028",
  "\ufeff",
  "é",
  "日本",
  "a:b",
  "a#b",
  "sha256:0123",
])("%j comes back as a value and as a key", (text) => {
  expect(parse(formatYaml({ [text]: [text] }))).toEqual({ [text]: [text] });
});

test("any JSON value comes back", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      expect(parse(formatYaml(plain), { logLevel: "silent" })).toEqual(plain);
    }),
    { numRuns: 1000 },
  );
});
