import { expect, test } from "vitest";
import {
  describeReference,
  formatImageReference,
  formatOstreeReference,
  formatSkopeoName,
  fromSpecImage,
  parseImageReference,
  parseOstreeReference,
  parseTransport,
  toSpecImage,
} from "./reference.ts";

test.each([
  { text: "registry:quay.io/a/b:c", transport: "registry", printed: "docker://quay.io/a/b:c" },
  { text: "docker://quay.io/a/b:c", transport: "registry", printed: "docker://quay.io/a/b:c" },
  { text: "oci:/var/tmp/x:tag", transport: "oci", printed: "oci:/var/tmp/x:tag" },
  { text: "oci-archive:/x.tar", transport: "oci-archive", printed: "oci-archive:/x.tar" },
  { text: "docker-archive:/x.tar", transport: "docker-archive", printed: "docker-archive:/x.tar" },
  { text: "docker-daemon:a:b", transport: "docker-daemon", printed: "docker-daemon:a:b" },
  { text: "dir:/a//b/", transport: "dir", printed: "dir:/a//b/" },
  {
    text: "containers-storage:[overlay@/s]localhost/x",
    transport: "containers-storage",
    printed: "containers-storage:[overlay@/s]localhost/x",
  },
])("$text is printed as $printed", ({ text, transport, printed }) => {
  const image = parseImageReference(text);
  expect(image.transport).toBe(transport);
  expect(formatImageReference(image)).toBe(printed);
});

test.each([
  { text: "quay.io", why: "it has no `:` after its transport" },
  { text: "docker:quay.io/x", why: "`docker:` must be followed by `//`" },
  { text: "registry:", why: "its name is empty" },
  { text: "docker://", why: "its name is empty" },
])("$text is refused", ({ text, why }) => {
  expect(() => parseImageReference(text)).toThrow(`\`${text}\` is not an image reference: ${why}`);
});

test("an unknown transport is a usage error that lists the known ones", () => {
  expect(() => parseImageReference("blah:x")).toThrow("unknown transport `blah`");
  expect(() => parseTransport("blah://")).toThrow("unknown transport `blah://`");
});

test.each([
  ["registry", "registry"],
  ["docker", "registry"],
  ["docker://", "registry"],
  ["oci", "oci"],
  ["oci:", "oci"],
  ["containers-storage", "containers-storage"],
])("transport %s is %s", (text, want) => {
  expect(parseTransport(text)).toBe(want);
});

const WRAPPED = [
  {
    text: "ostree-unverified-registry:quay.io/a:b",
    printed: "ostree-unverified-registry:quay.io/a:b",
    described: "docker://quay.io/a:b",
    spec: { image: "quay.io/a:b", transport: "registry" },
  },
  {
    text: "ostree-unverified-image:docker://quay.io/a:b",
    printed: "ostree-unverified-registry:quay.io/a:b",
    described: "docker://quay.io/a:b",
    spec: { image: "quay.io/a:b", transport: "registry" },
  },
  {
    text: "ostree-unverified-image:oci:/x:y",
    printed: "ostree-unverified-image:oci:/x:y",
    described: "oci:/x:y",
    spec: { image: "/x:y", transport: "oci" },
  },
  {
    text: "ostree-image-signed:registry:quay.io/a:b",
    printed: "ostree-image-signed:docker://quay.io/a:b",
    described: "ostree-image-signed:docker://quay.io/a:b",
    spec: { image: "quay.io/a:b", transport: "registry", signature: "containerPolicy" },
  },
  {
    text: "ostree-remote-registry:fedora:quay.io/a:b",
    printed: "ostree-remote-image:fedora:docker://quay.io/a:b",
    described: "ostree-remote-image:fedora:docker://quay.io/a:b",
    spec: { image: "quay.io/a:b", transport: "registry", signature: { ostreeRemote: "fedora" } },
  },
  {
    text: "ostree-remote-image:fedora:oci:/x",
    printed: "ostree-remote-image:fedora:oci:/x",
    described: "ostree-remote-image:fedora:oci:/x",
    spec: { image: "/x", transport: "oci", signature: { ostreeRemote: "fedora" } },
  },
] as const;

test.each(WRAPPED)("$text, to the document and back", ({ text, printed, described, spec }) => {
  const reference = parseOstreeReference(text);
  expect(formatOstreeReference(reference)).toBe(printed);
  expect(describeReference(reference)).toBe(described);
  expect(toSpecImage(reference)).toEqual(spec);
  expect(fromSpecImage(toSpecImage(reference))).toEqual(reference);
});

test.each([
  "docker://quay.io/a:b",
  "ostree-unverified-registry:",
  "ostree-remote-image:fedora",
  "ostree-unverified-image:quay.io",
  "ostree-blah:quay.io/a:b",
  "",
])("%s is not an origin reference", (text) => {
  expect(() => parseOstreeReference(text)).toThrow("is not an image reference");
});

test("`insecure` in a document means the same as no signature", () => {
  const spec = { image: "quay.io/a", transport: "docker://", signature: "insecure" } as const;
  expect(toSpecImage(fromSpecImage(spec))).toEqual({ image: "quay.io/a", transport: "registry" });
});

test.each([
  { text: "containers-storage:sha256:abc", want: "containers-storage:abc" },
  { text: "containers-storage:[overlay@/s]sha256:abc", want: "containers-storage:[overlay@/s]abc" },
  { text: "registry:a/b", want: "docker://a/b" },
])("skopeo knows $text as $want", ({ text, want }) => {
  expect(formatSkopeoName(parseImageReference(text))).toBe(want);
});
