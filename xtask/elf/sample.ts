// A small handmade executable for tests, with all the parts of a Node executable that we look at.
import { PT, SEGMENT_BYTES, type Section, type Segment, SHF, SHT } from "./read.ts";
import { withSections, writeSegments } from "./write.ts";

const BASE = 0x400000;
const INTERP = Buffer.from("/lib64/ld-linux-x86-64.so.2\0");
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0\0";

export interface SampleOptions {
  /** The text at the place of Node's fuse. */
  readonly fuse?: string;
  /** ELF's number for the machine: 62 is x64, 183 is arm64. */
  readonly machine?: number;
  /** Segments of other types to add. */
  readonly extra?: readonly Segment[];
  /** The entry point; within the code by default. */
  readonly entry?: number;
  /** The text behind the code, instead of zeros. */
  readonly behindCode?: string;
}

/** An executable with a text, data, a note, unmapped sections, and a fuse. */
export function sampleElf(options: SampleOptions = {}): Buffer {
  const extra = options.extra ?? [];
  const headersEnd = 64 + (6 + extra.length) * SEGMENT_BYTES;
  const interpAt = headersEnd;
  const noteAt = interpAt + INTERP.length;
  const note = sampleNote();
  const textAt = noteAt + note.length + 8;
  const text = Buffer.from(`code, and ${options.fuse ?? FUSE}`, "latin1");
  const dataAt = 0x1000;
  const data = Buffer.from("data");
  const content = Buffer.alloc(dataAt + data.length + 20);
  writeHeader(content, options.machine ?? 62, options.entry ?? BASE + textAt);
  INTERP.copy(content, interpAt);
  note.copy(content, noteAt);
  text.copy(content, textAt);
  content.write(options.behindCode ?? "", textAt + text.length);
  data.copy(content, dataAt);
  content.write("what nobody maps", dataAt + data.length);
  const lowEnd = textAt + text.length;
  writeSegments(content, [
    segment(PT.phdr, 64, headersEnd - 64, 8),
    segment(PT.interp, interpAt, INTERP.length, 1),
    { ...segment(PT.load, 0, lowEnd, 0x1000), flags: 5 },
    { ...segment(PT.load, dataAt, data.length, 0x1000), flags: 6, memoryBytes: 0x2345 },
    segment(PT.note, noteAt, note.length, 4),
    segment(0x6474e551, 0, 0, 16),
    ...extra,
  ]);
  const symbols = section(".text", 1, textAt, text.length);
  return withSections(content, [
    section(".interp", 1, interpAt, INTERP.length),
    section(".note.ABI-tag", SHT.note, noteAt, note.length),
    symbols,
    {
      ...section(".rela.plt", SHT.rela, textAt, 0),
      flags: SHF.alloc | SHF.infoLink,
      infoSection: symbols,
    },
    section(".data", 1, dataAt, data.length),
    { ...section(".bss", SHT.nobits, dataAt + data.length, 0x2000) },
    { ...section(".comment", 1, dataAt + data.length, 16), flags: 0, address: 0 },
  ]);
}

function sampleNote(): Buffer {
  const note = Buffer.alloc(32);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(16, 4);
  note.writeUInt32LE(1, 8);
  note.write("GNU\0", 12, "latin1");
  return note;
}

function writeHeader(bytes: Buffer, machine: number, entry: number): void {
  bytes.write("\x7fELF\x02\x01\x01", 0, "latin1");
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(entry), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(SEGMENT_BYTES, 54);
}

export function segment(type: number, offset: number, sizeBytes: number, align: number): Segment {
  return {
    type,
    flags: 4,
    offset,
    address: BASE + offset,
    fileBytes: sizeBytes,
    memoryBytes: sizeBytes,
    align,
  };
}

function section(name: string, type: number, offset: number, sizeBytes: number): Section {
  return {
    name,
    type,
    flags: SHF.alloc,
    address: BASE + offset,
    offset,
    sizeBytes,
    link: undefined,
    infoSection: undefined,
    info: 0,
    align: 1,
    entryBytes: 0,
  };
}
