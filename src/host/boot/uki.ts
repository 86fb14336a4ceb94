// Unified kernel images: the sections of an EFI executable. Format: the PE format, with systemd's names.
import { BootcError } from "../../errors.ts";

export interface UkiSection {
  readonly name: string;
  /** Where its content begins in the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** How much of a file has to be read for its sections: far more than any has. */
export const UKI_HEADER_BYTES = 64 << 10;

const COFF_BYTES = 24; // with the signature before it
const SECTION_BYTES = 40;

/** The sections, from the beginning of a file of `fileBytes`. */
export function parseUkiSections(header: Buffer, fileBytes: number): readonly UkiSection[] {
  if (header.length < 64 || header.toString("latin1", 0, 2) !== "MZ") throw notUki();
  const pe = header.readUInt32LE(60);
  if (pe + COFF_BYTES > header.length || header.toString("latin1", pe, pe + 4) !== "PE\0\0") {
    throw notUki();
  }
  const count = header.readUInt16LE(pe + 6);
  const first = pe + COFF_BYTES + header.readUInt16LE(pe + 20);
  if (first + count * SECTION_BYTES > header.length) throw notUki();
  return Array.from({ length: count }, (_, i) =>
    parseSection(header.subarray(first + i * SECTION_BYTES), fileBytes),
  );
}

function notUki(): BootcError {
  return new BootcError("it is not an EFI executable", { kind: "usage" });
}

function parseSection(bytes: Buffer, fileBytes: number): UkiSection {
  const name = bytes.toString("latin1", 0, 8).replace(/\0.*$/s, "");
  const [inMemory, inFile, offset] = [8, 16, 20].map((at) => bytes.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  // In the file, sections are padded to a multiple of a block.
  const sizeBytes = inMemory === 0 ? inFile : Math.min(inMemory, inFile);
  if (offset + sizeBytes > fileBytes) {
    throw new BootcError(`its section \`${name}\` goes beyond its end`, { kind: "usage" });
  }
  return { name, offset, sizeBytes };
}

/** The first section of a name; of an image with several profiles, that of the one that boots by default. */
export function requireUkiSection(sections: readonly UkiSection[], name: string): UkiSection {
  const found = sections.find((it) => it.name === name && it.sizeBytes > 0);
  if (found !== undefined) return found;
  throw new BootcError(`it has no section \`${name}\``, {
    kind: "usage",
    hint: "name a unified kernel image, as ukify makes them",
  });
}

/** The kernel's version in `.uname`, which becomes the name of a directory. */
export function parseUname(bytes: Buffer): string {
  const text = bytes.toString("utf8").replace(/\0+$/, "").trim();
  if (/^[\w+~-][\w.+~-]*$/.test(text)) return text;
  throw new BootcError("its section `.uname` is not the version of a kernel", { kind: "usage" });
}
