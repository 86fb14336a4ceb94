// A 64-bit little-endian ELF executable as data: its segments (what the kernel maps) and its sections.
// Source of the layout: the System V ABI, chapters "Object Files" and "Program Loading".
import { BootcError } from "../../src/errors.ts";

export const ELF_HEADER_BYTES = 64;
export const SEGMENT_BYTES = 56;
export const SECTION_BYTES = 64;

/** Segment types (p_type). */
export const PT = { load: 1, interp: 3, note: 4, phdr: 6 } as const;

/** Section types (sh_type). */
export const SHT = { null: 0, strtab: 3, rela: 4, note: 7, nobits: 8, rel: 9 } as const;

/** Section flags (sh_flags). */
export const SHF = { alloc: 0x2, execute: 0x4, infoLink: 0x40 } as const;

/** A program header. Offsets, addresses and sizes are bytes. */
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly align: number;
}

/** A section header, by name, with the sections it refers to as objects. */
export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** The section that `sh_link` names. */
  readonly link: Section | undefined;
  /** The section that `sh_info` names, if it names one. */
  readonly infoSection: Section | undefined;
  /** `sh_info` when it is a number. */
  readonly info: number;
  readonly align: number;
  readonly entryBytes: number;
}

export interface Elf {
  readonly bytes: Buffer;
  readonly segments: readonly Segment[];
  /** All sections except the empty first one and the table of names. */
  readonly sections: readonly Section[];
}

const MACHINES: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64" };

/** Parses the executable in `bytes`. The error for one that we cannot edit says why. */
export function parseElf(bytes: Buffer): Elf {
  requireHeader(bytes);
  const segments = parseSegments(bytes);
  const sections = parseSections(bytes);
  return { bytes, segments, sections };
}

/** Node's name of the architecture: `x64` or `arm64`. */
export function architectureOf(bytes: Buffer): string {
  requireHeader(bytes);
  return MACHINES[bytes.readUInt16LE(18)] ?? "unknown";
}

/** The end of all segments in the file. The bytes behind it are never mapped. */
export function endOfSegments(elf: Elf): number {
  return Math.max(
    ELF_HEADER_BYTES + elf.segments.length * SEGMENT_BYTES,
    ...elf.segments.map((it) => it.offset + it.fileBytes),
  );
}

/**
 * The sections that are mapped at run time. Dynamic symbols name their section by its index, so all
 * unmapped sections must come after the mapped ones, where linkers put them.
 */
export function mappedSections(elf: Elf): readonly Section[] {
  const isMapped = (it: Section) => (it.flags & SHF.alloc) !== 0;
  const firstOther = elf.sections.findIndex((it) => !isMapped(it));
  const mapped = firstOther === -1 ? elf.sections : elf.sections.slice(0, firstOther);
  if (elf.sections.slice(mapped.length).some(isMapped)) {
    throw elfError("a mapped section follows one that is not");
  }
  const end = endOfSegments(elf);
  const outside = mapped.find((it) => hasContent(it) && it.offset + it.sizeBytes > end);
  if (outside !== undefined) throw elfError(`no segment holds \`${outside.name}\``);
  return mapped;
}

export function elfError(what: string): BootcError {
  return new BootcError(`cannot edit this ELF file: ${what}`, {
    kind: "unsupported",
    hint: "take the executable of the pinned runtime, unchanged",
  });
}

function requireHeader(bytes: Buffer): void {
  if (bytes.length < ELF_HEADER_BYTES || bytes.readUInt32BE(0) !== 0x7f454c46) {
    throw elfError("it does not begin like one");
  }
  if (bytes[4] !== 2 || bytes[5] !== 1) throw elfError("it is not 64-bit little-endian");
  const type = bytes.readUInt16LE(16);
  if (type !== 2 && type !== 3) throw elfError(`type ${type} is not an executable`);
  const machine = bytes.readUInt16LE(18);
  if (MACHINES[machine] === undefined) throw elfError(`machine ${machine} is not known`);
  if (bytes.readUInt16LE(54) !== SEGMENT_BYTES) throw elfError("odd size of program headers");
  const sectionBytes = bytes.readUInt16LE(58);
  if (bytes.readUInt16LE(60) !== 0 && sectionBytes !== SECTION_BYTES) {
    throw elfError("odd size of section headers");
  }
}

function parseSegments(bytes: Buffer): readonly Segment[] {
  const start = readNumber(bytes, 32);
  const count = bytes.readUInt16LE(56);
  if (start !== ELF_HEADER_BYTES) throw elfError("its program headers do not follow its header");
  requireRange(bytes, start, count * SEGMENT_BYTES, "program headers");
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * SEGMENT_BYTES;
    const segment: Segment = {
      type: bytes.readUInt32LE(at),
      flags: bytes.readUInt32LE(at + 4),
      offset: readNumber(bytes, at + 8),
      address: readNumber(bytes, at + 16),
      fileBytes: readNumber(bytes, at + 32),
      memoryBytes: readNumber(bytes, at + 40),
      align: readNumber(bytes, at + 48),
    };
    requireSafe(segment.address + segment.memoryBytes + segment.align, `the end of segment ${i}`);
    if (readNumber(bytes, at + 24) !== segment.address)
      throw elfError("a physical address differs");
    requireRange(bytes, segment.offset, segment.fileBytes, `segment ${i}`);
    return segment;
  });
}

function parseSections(bytes: Buffer): readonly Section[] {
  const start = readNumber(bytes, 40);
  const count = bytes.readUInt16LE(60);
  if (count === 0) return [];
  requireRange(bytes, start, count * SECTION_BYTES, "section headers");
  const namesIndex = bytes.readUInt16LE(62);
  if (namesIndex >= count) throw elfError("its section names are missing");
  const raw = Array.from({ length: count }, (_, i) => rawSection(bytes, start + i * SECTION_BYTES));
  const names = raw[namesIndex];
  if (names?.type !== SHT.strtab) throw elfError("its section names are missing");
  const sections = raw.map((it) => sectionOf(bytes, it, names));
  for (const [i, it] of raw.entries()) {
    const section = sections[i];
    if (section === undefined) continue;
    section.link = referred(sections, it.link);
    section.infoSection = refersByInfo(it) ? referred(sections, it.info) : undefined;
  }
  return sections.filter((_, i) => i !== 0 && i !== namesIndex);
}

interface RawSection {
  readonly name: number;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entryBytes: number;
}

function rawSection(bytes: Buffer, at: number): RawSection {
  const section = {
    name: bytes.readUInt32LE(at),
    type: bytes.readUInt32LE(at + 4),
    flags: readNumber(bytes, at + 8),
    address: readNumber(bytes, at + 16),
    offset: readNumber(bytes, at + 24),
    sizeBytes: readNumber(bytes, at + 32),
    link: bytes.readUInt32LE(at + 40),
    info: bytes.readUInt32LE(at + 44),
    align: readNumber(bytes, at + 48),
    entryBytes: readNumber(bytes, at + 56),
  };
  if (hasContent(section)) {
    requireRange(bytes, section.offset, section.sizeBytes, "a section");
  }
  return section;
}

function hasContent({ type }: { readonly type: number }): boolean {
  return type !== SHT.nobits && type !== SHT.null;
}

type Linked = { -readonly [K in keyof Section]: Section[K] };

function sectionOf(bytes: Buffer, raw: RawSection, names: RawSection): Linked {
  const start = names.offset + raw.name;
  const end = raw.name < names.sizeBytes ? bytes.indexOf(0, start) : -1;
  if (end === -1 || end >= names.offset + names.sizeBytes) throw elfError("a section has no name");
  return {
    ...raw,
    name: bytes.toString("latin1", start, end),
    info: refersByInfo(raw) ? 0 : raw.info,
    link: undefined,
    infoSection: undefined,
  };
}

/** `sh_info` names a section only when a relocation's flag says so; elsewhere it is a count. */
function refersByInfo({ type, flags }: { readonly type: number; readonly flags: number }): boolean {
  return (type === SHT.rela || type === SHT.rel) && (flags & SHF.infoLink) !== 0;
}

function referred(sections: readonly Section[], index: number): Section | undefined {
  if (index === 0) return undefined;
  const section = sections[index];
  if (section === undefined)
    throw elfError(`a section refers to section ${index}, which does not exist`);
  return section;
}

/** A 64-bit number. None in our executables exceeds the exact integers of a double. */
function readNumber(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at));
  return requireSafe(value, `the number at byte ${at}`);
}

function requireSafe(value: number, what: string): number {
  if (value < Number.MAX_SAFE_INTEGER - 2 ** 32) return value;
  throw elfError(`${what} is too large`);
}

function requireRange(bytes: Buffer, offset: number, sizeBytes: number, what: string): void {
  if (offset + sizeBytes > bytes.length) throw elfError(`${what} reach(es) beyond its end`);
}
