// Paths as tars spell them, brought into one form.
import { damagedTar } from "./header.ts";

const COMPONENT_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4095;
/** Nearly every path: nothing in it but a slash at its end has to go. */
const PLAIN = /^[^\0/.][^\0/]*(?:\/[^\0/.][^\0/]*)*\/?$/;

/**
 * A path of a tar as its components joined by `/`, the root as an empty text. `..` is refused, and so is
 * what no file system could hold.
 */
export function normalizePath(path: string): string {
  if (path.length * 3 <= COMPONENT_BYTES_MAX && PLAIN.test(path)) {
    return path.endsWith("/") ? path.slice(0, -1) : path;
  }
  if (path.includes("\0")) throw damagedTar("a path with a zero byte");
  const parts = path.split("/").filter((it) => it !== "" && it !== ".");
  if (parts.includes("..")) throw damagedTar(`the path \`${path}\`, which leaves its directory`);
  const normal = parts.join("/");
  // A character has at most three bytes per unit, so most paths need no counting.
  if (normal.length * 3 > COMPONENT_BYTES_MAX) requireLengths(normal, parts);
  return normal;
}

function requireLengths(path: string, parts: readonly string[]): void {
  const isTooLong =
    Buffer.byteLength(path) > PATH_BYTES_MAX ||
    parts.some((it) => Buffer.byteLength(it) > COMPONENT_BYTES_MAX);
  if (isTooLong) throw damagedTar(`a path too long for a file system: \`${path.slice(0, 80)}…\``);
}
