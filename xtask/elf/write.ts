// Writes the changed parts of an ELF file: its program headers, and a section table at its end.
import {
  ELF_HEADER_BYTES,
  elfError,
  SECTION_BYTES,
  SEGMENT_BYTES,
  type Section,
  type Segment,
  SHT,
} from "./read.ts";

/** Writes the program headers into `bytes`, right behind its header. */
export function writeSegments(bytes: Buffer, segments: readonly Segment[]): void {
  bytes.writeUInt16LE(segments.length, 56);
  for (const [i, it] of segments.entries()) {
    const at = ELF_HEADER_BYTES + i * SEGMENT_BYTES;
    bytes.writeUInt32LE(it.type, at);
    bytes.writeUInt32LE(it.flags, at + 4);
    writeNumbers(bytes, at + 8, [
      it.offset,
      it.address,
      it.address,
      it.fileBytes,
      it.memoryBytes,
      it.align,
    ]);
  }
}

/**
 * `content` (which begins with the ELF header) followed by the names of `sections` and their table.
 * A section refers to another one by being the same object.
 */
export function withSections(content: Buffer, sections: readonly Section[]): Buffer {
  const { names, offsets } = namesOf(sections);
  const namesOffset = content.length;
  const tableOffset = roundUp(namesOffset + names.length, 8);
  const bytes = Buffer.alloc(tableOffset + (sections.length + 2) * SECTION_BYTES);
  content.copy(bytes);
  names.copy(bytes, namesOffset);
  const all: readonly Section[] = [EMPTY, ...sections, namesSection(namesOffset, names.length)];
  for (const [i, section] of all.entries()) {
    writeSection(bytes, tableOffset + i * SECTION_BYTES, section, {
      name: offsets[i] ?? 0,
      link: indexOf(all, section.link),
      info: section.infoSection ? indexOf(all, section.infoSection) : section.info,
    });
  }
  bytes.writeBigUInt64LE(BigInt(tableOffset), 40);
  bytes.writeUInt16LE(SECTION_BYTES, 58);
  bytes.writeUInt16LE(all.length, 60);
  bytes.writeUInt16LE(all.length - 1, 62);
  return bytes;
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

const NAMES = ".shstrtab";

const EMPTY: Section = {
  name: "",
  type: SHT.null,
  flags: 0,
  address: 0,
  offset: 0,
  sizeBytes: 0,
  link: undefined,
  infoSection: undefined,
  info: 0,
  align: 0,
  entryBytes: 0,
};

function namesSection(offset: number, sizeBytes: number): Section {
  return { ...EMPTY, name: NAMES, type: SHT.strtab, offset, sizeBytes, align: 1 };
}

/** The table of names, and the offset of each: the empty section's name first, the table's own last. */
function namesOf(sections: readonly Section[]): { names: Buffer; offsets: readonly number[] } {
  let names = "\0";
  const offsets = [0];
  for (const name of [...sections.map((it) => it.name), NAMES]) {
    offsets.push(names.length);
    names += `${name}\0`;
  }
  return { names: Buffer.from(names, "latin1"), offsets };
}

function indexOf(all: readonly Section[], section: Section | undefined): number {
  if (section === undefined) return 0;
  const index = all.indexOf(section);
  if (index === -1) throw elfError(`a section that stays needs \`${section.name}\``);
  return index;
}

interface Indices {
  readonly name: number;
  readonly link: number;
  readonly info: number;
}

function writeSection(bytes: Buffer, at: number, section: Section, indices: Indices): void {
  bytes.writeUInt32LE(indices.name, at);
  bytes.writeUInt32LE(section.type, at + 4);
  writeNumbers(bytes, at + 8, [section.flags, section.address, section.offset, section.sizeBytes]);
  bytes.writeUInt32LE(indices.link, at + 40);
  bytes.writeUInt32LE(indices.info, at + 44);
  writeNumbers(bytes, at + 48, [section.align, section.entryBytes]);
}

function writeNumbers(bytes: Buffer, at: number, values: readonly number[]): void {
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), at + i * 8);
}
