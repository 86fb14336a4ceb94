// Drops sections that a running program never maps (symbols, debug information, comments): a fifth of Node.
import { endOfSegments, mappedSections, parseElf } from "./read.ts";
import { withSections } from "./write.ts";

/**
 * The executable without its unmapped sections. The mapped bytes and the program headers stay where they
 * are, so the program's behaviour cannot change. The result does not depend on the installed binutils.
 */
export function dropSections(bytes: Buffer): Buffer {
  const elf = parseElf(bytes);
  return withSections(elf.bytes.subarray(0, endOfSegments(elf)), mappedSections(elf));
}
