// How images are named: transport and name, ostree's wrapper in origin files, and the host document's form.
import { BootcError } from "../errors.ts";

/** Where images can come from, in the host document's spelling. */
export const TRANSPORTS = [
  "registry",
  "oci",
  "oci-archive",
  "docker-archive",
  "docker-daemon",
  "dir",
  "containers-storage",
] as const;

export type Transport = (typeof TRANSPORTS)[number];

/** An image to pull: `registry` and `quay.io/example/os:latest`, or `oci` and `/var/tmp/image:tag`. */
export interface ImageReference {
  readonly transport: Transport;
  readonly name: string;
}

/** How an image is verified: not at all, by containers-policy.json, or by the keys of an ostree remote. */
export type Verification =
  | { readonly kind: "none" }
  | { readonly kind: "policy" }
  | { readonly kind: "remote"; readonly remote: string };

/** An image and how it is verified: the value of `container-image-reference` in origin files. */
export interface OstreeReference {
  readonly verification: Verification;
  readonly image: ImageReference;
}

/** The host document's form of an `OstreeReference`, with the document's field names. */
export interface SpecImage {
  readonly image: string;
  readonly transport: string;
  readonly signature?: SpecSignature | null;
}

/** Absent and `insecure` both mean that the image is not verified. */
export type SpecSignature = "insecure" | "containerPolicy" | { readonly ostreeRemote: string };

/** Parses a transport as people and documents write it: `registry`, `docker://`, `oci`, `oci:`. */
export function parseTransport(text: string): Transport {
  const name = text === "docker://" ? "registry" : text.replace(/:$/, "");
  const found = TRANSPORTS.find((it) => it === (name === "docker" ? "registry" : name));
  if (found !== undefined) return found;
  throw new BootcError(`unknown transport \`${text}\``, {
    kind: "usage",
    hint: `choose from ${TRANSPORTS.join(", ")}`,
  });
}

/** Parses `TRANSPORT:NAME`; `docker://NAME` and `registry:NAME` are the same. */
export function parseImageReference(text: string): ImageReference {
  const colon = text.indexOf(":");
  if (colon < 0) throw badReference(text, "it has no `:` after its transport", PLAIN_EXAMPLE);
  const prefix = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (prefix === "docker" && !rest.startsWith("//")) {
    throw badReference(text, "`docker:` must be followed by `//`");
  }
  const name = prefix === "docker" ? rest.slice(2) : rest;
  if (name === "") throw badReference(text, "its name is empty");
  return { transport: parseTransport(prefix), name };
}

/**
 * `docker://NAME` or `TRANSPORT:NAME`. Messages show this form, and the names of image refs in the
 * repository are derived from it.
 */
export function formatImageReference({ transport, name }: ImageReference): string {
  return transport === "registry" ? `docker://${name}` : `${transport}:${name}`;
}

/** The image's name for skopeo, which expects an image id in local storage without its algorithm. */
export function formatSkopeoName(image: ImageReference): string {
  if (image.transport !== "containers-storage") return formatImageReference(image);
  return `containers-storage:${image.name.replace(/^(\[[^\]]*\])?sha256:/, "$1")}`;
}

/** Parses the value of `container-image-reference`: a verification scheme, then the image. */
export function parseOstreeReference(text: string): OstreeReference {
  const [scheme, rest] = cutAtColon(text);
  switch (scheme) {
    case "ostree-image-signed":
      return { verification: { kind: "policy" }, image: parseImageReference(rest) };
    case "ostree-unverified-image":
      return { verification: { kind: "none" }, image: parseImageReference(rest) };
    case "ostree-unverified-registry":
      return { verification: { kind: "none" }, image: registryImage(text, rest) };
    case "ostree-remote-image": {
      const [remote, image] = cutRemote(text, rest);
      return { verification: { kind: "remote", remote }, image: parseImageReference(image) };
    }
    case "ostree-remote-registry": {
      const [remote, image] = cutRemote(text, rest);
      return { verification: { kind: "remote", remote }, image: registryImage(text, image) };
    }
    default:
      throw badReference(
        text,
        "it does not start with one of ostree's verification schemes",
        OSTREE_EXAMPLE,
      );
  }
}

export function formatOstreeReference({ verification, image }: OstreeReference): string {
  const name = formatImageReference(image);
  switch (verification.kind) {
    case "policy":
      return `ostree-image-signed:${name}`;
    case "remote":
      return `ostree-remote-image:${verification.remote}:${name}`;
    case "none":
      if (image.transport === "registry") return `ostree-unverified-registry:${image.name}`;
      return `ostree-unverified-image:${name}`;
  }
}

/** The image's name in messages: without ostree's wrapper, unless the image is verified. */
export function describeReference(reference: OstreeReference): string {
  if (reference.verification.kind === "none") return formatImageReference(reference.image);
  return formatOstreeReference(reference);
}

/** The document's form of a reference; `signature` is absent when the image is not verified. */
export function toSpecImage({ verification, image }: OstreeReference): SpecImage {
  const plain = { image: image.name, transport: image.transport };
  switch (verification.kind) {
    case "none":
      return plain;
    case "policy":
      return { ...plain, signature: "containerPolicy" };
    case "remote":
      return { ...plain, signature: { ostreeRemote: verification.remote } };
  }
}

/** The reference that a document names; an unknown transport or an empty name is a usage error. */
export function fromSpecImage(spec: SpecImage): OstreeReference {
  const transport = parseTransport(spec.transport);
  if (spec.image === "") throw badReference(`${spec.transport}:`, "its name is empty");
  return {
    verification: verificationOf(spec.signature ?? null),
    image: { transport, name: spec.image },
  };
}

function verificationOf(signature: SpecSignature | null): Verification {
  if (signature === null || signature === "insecure") return { kind: "none" };
  if (signature === "containerPolicy") return { kind: "policy" };
  return { kind: "remote", remote: signature.ostreeRemote };
}

function registryImage(text: string, name: string): ImageReference {
  if (name === "") throw badReference(text, "its name is empty");
  return { transport: "registry", name };
}

function cutRemote(text: string, rest: string): readonly [remote: string, image: string] {
  const [remote, image] = cutAtColon(rest);
  if (remote === "" || image === "") throw badReference(text, "it names no ostree remote");
  return [remote, image];
}

function cutAtColon(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

const PLAIN_EXAMPLE = "an example is `docker://quay.io/example/os:latest`";
const OSTREE_EXAMPLE =
  "examples are `ostree-unverified-registry:quay.io/example/os:latest` and " +
  "`ostree-image-signed:docker://…`, which requires a policy to accept the image";

function badReference(text: string, why: string, hint?: string): BootcError {
  return new BootcError(`\`${text}\` is not an image reference: ${why}`, {
    kind: "usage",
    ...(hint !== undefined && { hint }),
  });
}
