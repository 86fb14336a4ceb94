// Paths and values of an image as a message shows them.
import { printable } from "../../printable.ts";
import { formatCommand } from "../../system/quote.ts";

/** A path that a shell would not read as one word is quoted. */
export function quotePath(path: string): string {
  // Debian's versions have such a character; a shell expands it only in front.
  if (/^[\w/][\w@%+=:,./~-]*$/.test(path)) return path;
  return formatCommand(printable(path), []);
}

/** The path as the system that boots from the image has it. */
export function absolute(path: string): string {
  return quotePath(`/${path}`);
}
