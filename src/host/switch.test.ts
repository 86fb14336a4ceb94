import { expect, test } from "vitest";
import { parseYaml } from "../format/yaml-in.ts";
import { formatYaml } from "../format/yaml-out.ts";
import { formatOstreeReference, parseOstreeReference } from "../image/reference.ts";
import { host, image } from "../testing/host-document.ts";
import { decideEdit, isSameImage, parseHostSpec, parseSwitchTarget } from "./switch.ts";

test.each([
  {
    name: "quay.io/a/b:c",
    transport: "registry",
    policy: false,
    want: "ostree-unverified-registry:quay.io/a/b:c",
  },
  {
    name: "quay.io/a/b:c",
    transport: "docker",
    policy: true,
    want: "ostree-image-signed:docker://quay.io/a/b:c",
  },
  { name: "/srv/os", transport: "oci", policy: false, want: "ostree-unverified-image:oci:/srv/os" },
])("switch to $name by $transport is $want", ({ name, transport, policy, want }) => {
  const target = parseSwitchTarget(name, { transport, enforcesPolicy: policy });
  expect(formatOstreeReference(target)).toBe(want);
});

test.each([
  { name: "blah://", transport: "registry", error: "`blah://` is not the name of an image" },
  { name: "x", transport: "blah", error: "unknown transport `blah`" },
  { name: "", transport: "oci", error: "the name of the image is empty" },
])("switch to $name by $transport is refused", ({ name, transport, error }) => {
  expect(() => parseSwitchTarget(name, { transport, enforcesPolicy: false })).toThrow(error);
});

test("the same image is the same however it is spelled", () => {
  const target = parseOstreeReference("ostree-unverified-image:docker://quay.io/example/os:latest");
  expect(isSameImage(image, target)).toBe(true);
  expect(isSameImage({ ...image, signature: "insecure" }, target)).toBe(true);
  expect(isSameImage({ ...image, signature: "containerPolicy" }, target)).toBe(false);
  expect(isSameImage(null, target)).toBe(false);
});

const other = { ...image, image: "quay.io/example/os:next" };

test.each([
  { wanted: { image, bootOrder: "default" }, kind: "unchanged" },
  { wanted: { image, bootOrder: "rollback" }, kind: "rollback" },
  { wanted: { image: other, bootOrder: "default" }, kind: "image" },
] as const)("an edited spec $wanted means $kind", ({ wanted, kind }) => {
  expect(decideEdit(host({ image }), wanted).kind).toBe(kind);
});

test.each([
  {
    wanted: { image: other, bootOrder: "rollback" },
    error: "Invalid state transition: rollback and image change",
  },
  { wanted: { image: null, bootOrder: "default" }, error: "Missing image in specification" },
] as const)("an edited spec $wanted is refused", ({ wanted, error }) => {
  expect(() => decideEdit(host({ image }), wanted)).toThrow(error);
});

test("an edited document says all that is wrong with it at once", () => {
  const document = { kind: "x", spec: { bootOrder: 1, image: { image: 2, signature: "y" } } };
  expect(() => parseHostSpec(document)).toThrow(
    "the host document is not valid: `kind` must be `BootcHost`; `apiVersion` must be " +
      "`org.containers.bootc/v1`; `spec.bootOrder` must be `default` or `rollback`; " +
      "`spec.image.image` must be text; `spec.image.transport` must be text; " +
      "`spec.image.signature` is not a known signature policy",
  );
  expect(() => parseHostSpec(null)).toThrow("is not valid");
});

test.each(["insecure", "containerPolicy", { ostreeRemote: "fedora" }] as const)(
  "the signature %j survives YAML",
  (signature) => {
    const document = host({ image: { ...image, signature } });
    const text = formatYaml(document);
    if (typeof signature === "object") expect(text).toContain("signature: !ostreeRemote fedora\n");
    expect(parseHostSpec(parseYaml("the host document", text)).image).toEqual({
      ...image,
      signature,
    });
  },
);
