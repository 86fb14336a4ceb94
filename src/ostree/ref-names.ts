// The names of an image's refs in a repository, escaped the way upstream programs expect.
import { BootcError } from "../errors.ts";

/** All refs of images are below this prefix. */
export const CONTAINER_PREFIX = "ostree/container";
export const BLOB_PREFIX = `${CONTAINER_PREFIX}/blob`;
export const IMAGE_PREFIX = `${CONTAINER_PREFIX}/image`;
export const BASE_IMAGE_PREFIX = `${CONTAINER_PREFIX}/baseimage`;
/** Refs of unfinished pulls. They are private to us: upstream's clean-up does not look here. */
export const PRIVATE_PREFIX = "bootc-pull";
/** Layers that are imported and verified. */
export const PENDING_PREFIX = `${PRIVATE_PREFIX}/pending`;
/** Merged trees while they are being labelled, before and after. */
export const TREE_PREFIX = `${PRIVATE_PREFIX}/tree`;
/**
 * One ref per run, which points to its merge commit between pull and deployment. Upstream's clean-up keeps
 * what these refs name.
 */
export const PROTECTIVE_PREFIX = `${BASE_IMAGE_PREFIX}/bootc-pull`;

/** The ref of the layer whose descriptor carries `digest` (`sha256:…`). */
export function blobRef(digest: string): string {
  return escapeRef(BLOB_PREFIX, digest);
}

/** The ref of an image by its printed reference (`docker://quay.io/example/os:latest`). */
export function imageRef(reference: string): string {
  return escapeRef(IMAGE_PREFIX, reference);
}

/** The private ref of an imported layer whose image is not complete yet. */
export function pendingRef(digest: string): string {
  return escapeRef(PENDING_PREFIX, digest);
}

/** Requires a ref name that ostree accepts: words of letters, digits, `-`, `.` and `_` between slashes. */
export function requireRefName(text: string): void {
  if (/^[-.\w]+(?:\/[-.\w]+)*$/.test(text) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text)) return;
  throw new BootcError(`\`${text}\` cannot be the name of a ref`, {
    kind: "usage",
    hint: "use words of letters, digits, `-`, `.` and `_`, with `/` between them",
  });
}

const ALPHANUMERIC = /^[A-Za-z0-9]$/;

/** `prefix/` and `text` escaped: the inverse of {@link unescapeRef}. `text` is not empty, without NUL. */
export function escapeRef(prefix: string, text: string): string {
  if (text === "" || text.includes("\0")) {
    throw new BootcError(`\`${text}\` cannot be turned into a ref name`);
  }
  const chars = [...text];
  let isAfterAlphanumeric = false;
  const escaped = chars.map((char, i) => {
    const isAlphanumeric = ALPHANUMERIC.test(char);
    const isSeparator = char === "/" && isAfterAlphanumeric && i + 1 < chars.length;
    isAfterAlphanumeric = isAlphanumeric;
    if (isAlphanumeric || char === "-" || isSeparator) return char;
    return char === "_" ? "__" : escapeChar(char);
  });
  return `${prefix}/${escaped.join("")}`;
}

function escapeChar(char: string): string {
  const hex = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return `_${hex.padStart(2, "0")}_`;
}

/** The text that {@link escapeRef} was given; an error when `ref` is not of its making. */
export function unescapeRef(prefix: string, ref: string): string {
  const bad = (why: string) => new BootcError(`the ref \`${ref}\` ${why}`);
  if (!ref.startsWith(`${prefix}/`)) throw bad(`is not below \`${prefix}\``);
  const escaped = ref.slice(prefix.length + 1);
  if (escaped === "") throw bad("has no name");
  const text = escaped.replaceAll(/_([^_]*)_|[^A-Za-z0-9/-]/g, (match, hex: string | undefined) => {
    if (match === "__") return "_";
    if (hex === undefined || !/^[0-9A-Fa-f]{1,6}$/.test(hex)) throw bad("is not escaped");
    const codePoint = Number.parseInt(hex, 16);
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint < 0xe000)) {
      throw bad(`has the impossible character \`${hex}\``);
    }
    return String.fromCodePoint(codePoint);
  });
  return text;
}
