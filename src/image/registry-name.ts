// The grammar of image names in registries: host, repository, tag and digest.
// Source: the `reference` grammar of the distribution project, which skopeo and podman follow.
import { BootcError } from "../errors.ts";
import { type ImageReference, parseTransport } from "./reference.ts";

export interface RegistryName {
  /** Host and port. Short names refer to Docker's registry. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const HOST_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const HOST = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?`;
const PATH_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const NAME = new RegExp(
  `^((?:${HOST}/)?${PATH_PART}(?:/${PATH_PART})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`,
);
const NAME_LENGTH_MAX = 255;

/** Parses an image's name in a registry; a short Docker name is completed. */
export function parseRegistryName(text: string): RegistryName | undefined {
  const [, name = "", tag, digest] = NAME.exec(text) ?? [];
  if (name === "" || name.length > NAME_LENGTH_MAX) return undefined;
  const [registry, repository] = cutRegistry(name);
  if (!new RegExp(`^${PATH_PART}(?:/${PATH_PART})*$`).test(repository)) return undefined;
  return { registry, repository, tag, digest };
}

/** Parses a name in a registry; a usage error when `text` is not one. */
export function requireRegistryName(text: string): RegistryName {
  const name = parseRegistryName(text);
  if (name !== undefined) return name;
  throw new BootcError(`\`${text}\` is not the name of an image in a registry`, {
    kind: "usage",
    hint: "write it as REGISTRY/REPOSITORY:TAG, or name another transport",
  });
}

/** An image from its bare name and the text for its transport. */
export function parseNamedImage(name: string, transportText: string): ImageReference {
  const transport = parseTransport(transportText);
  if (transport === "registry") requireRegistryName(name);
  if (name === "") throw new BootcError("the name of the image is empty", { kind: "usage" });
  return { transport, name };
}

export function formatRegistryName({ registry, repository, tag, digest }: RegistryName): string {
  return `${registry}/${repository}${tag ? `:${tag}` : ""}${digest ? `@${digest}` : ""}`;
}

/**
 * The reference to pull, after which image refs are named: a name with both tag and digest loses its tag,
 * since the digest decides. Origin files keep what the user wrote.
 */
export function canonicalizeReference(image: ImageReference): ImageReference {
  if (image.transport !== "registry") return image;
  const name = parseRegistryName(image.name);
  if (name?.tag === undefined || name.digest === undefined) return image;
  return { ...image, name: formatRegistryName({ ...name, tag: undefined }) };
}

/** The same repository with another tag, and without a digest. */
export function withTag(image: ImageReference, tag: string): ImageReference {
  if (!new RegExp(`^${TAG}$`).test(tag)) {
    throw new BootcError(`\`${tag}\` is not a valid tag`, { kind: "usage" });
  }
  const name = parseRegistryName(image.name);
  if (name !== undefined) {
    return { ...image, name: formatRegistryName({ ...name, tag, digest: undefined }) };
  }
  const undigested = image.name.split("@", 1)[0] ?? "";
  const colon = undigested.lastIndexOf(":");
  const untagged = colon < 0 ? undigested : undigested.slice(0, colon);
  return { ...image, name: `${untagged}:${tag}` };
}

function cutRegistry(name: string): readonly [registry: string, repository: string] {
  const slash = name.indexOf("/");
  const host = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(host) || host === "localhost" || host !== host.toLowerCase();
  if (slash > 0 && isHost && host !== "docker.io" && host !== "index.docker.io") {
    return [host, name.slice(slash + 1)];
  }
  const path = isHost ? name.slice(slash + 1) : name;
  return ["docker.io", path.includes("/") ? path : `library/${path}`];
}
