import { expect, test } from "vitest";
import type { ImageReference } from "./reference.ts";
import { canonicalizeReference, parseRegistryName, withTag } from "./registry-name.ts";

const D = `sha256:${"ab".repeat(32)}`;
const registry = (name: string): ImageReference => ({ transport: "registry", name });

test.each([
  { text: "quay.io/a/b:c", want: ["quay.io", "a/b", "c", undefined] },
  { text: "localhost:5000/my_img/a.b-c:v1_2", want: ["localhost:5000", "my_img/a.b-c", "v1_2"] },
  { text: `10.0.2.2:5000/os@${D}`, want: ["10.0.2.2:5000", "os", undefined, D] },
  { text: "[::1]:5000/os", want: ["[::1]:5000", "os"] },
  { text: "fedora", want: ["docker.io", "library/fedora"] },
  { text: "someone/fedora:42", want: ["docker.io", "someone/fedora", "42"] },
  { text: "docker.io/fedora", want: ["docker.io", "library/fedora"] },
  { text: "index.docker.io/a/b", want: ["docker.io", "a/b"] },
  { text: "localhost/os", want: ["localhost", "os"] },
])("$text is taken apart", ({ text, want }) => {
  const name = parseRegistryName(text);
  expect([name?.registry, name?.repository, name?.tag, name?.digest]).toEqual(
    [0, 1, 2, 3].map((i) => want[i]),
  );
});

test.each(["", "blah://", "quay.io/", "quay.io/A/b", "quay.io/a:", "quay.io/a@sha256:abcd", "a b"])(
  "%j is not a name in a registry",
  (text) => expect(parseRegistryName(text)).toBeUndefined(),
);

test.each([
  { name: `quay.io/a:b@${D}`, want: `quay.io/a@${D}` },
  { name: `fedora:42@${D}`, want: `docker.io/library/fedora@${D}` },
  { name: `quay.io/a@${D}`, want: `quay.io/a@${D}` },
  { name: "fedora:42", want: "fedora:42" },
  { name: "not a name:x@y", want: "not a name:x@y" },
])("$name is pulled as $want", ({ name, want }) => {
  expect(canonicalizeReference(registry(name))).toEqual(registry(want));
});

test("other transports have no tag to drop", () => {
  const image: ImageReference = { transport: "oci", name: `/x:t@${D}` };
  expect(canonicalizeReference(image)).toEqual(image);
});

test.each([
  { name: "quay.io/a:b", want: "quay.io/a:new" },
  { name: `quay.io/a:b@${D}`, want: "quay.io/a:new" },
  { name: "localhost:5000/os", want: "localhost:5000/os:new" },
  { name: "fedora", want: "docker.io/library/fedora:new" },
  { name: "/var/lib/Images:x@y", want: "/var/lib/Images:new" },
  { name: "/var/lib/Images", want: "/var/lib/Images:new" },
])("$name with another tag is $want", ({ name, want }) => {
  expect(withTag(registry(name), "new").name).toBe(want);
});

test.each(["", "a b", "-x", "x".repeat(129)])("%j is not a valid tag", (tag) => {
  expect(() => withTag(registry("quay.io/a"), tag)).toThrow(`\`${tag}\` is not a valid tag`);
});
