// Puts a blob into a Node executable at a place where Node finds it and `strip` leaves it alone.
//
// Node's contract (its documentation, "Single executable applications"): an ELF note named
// NODE_SEA_BLOB in a PT_NOTE segment, and the fuse's last character set to 1. The injector that is built
// into Node moves the program headers to the end of the file, after which any `strip` breaks the file.
// Here the headers stay: the interpreter's path and the old notes, which directly follow them, move to a
// new segment together with our note, and leave room for that segment's own header.
import { type Guard, lengthened, placeGuard, writeGuard } from "./guard.ts";
import {
  ELF_HEADER_BYTES,
  type Elf,
  elfError,
  endOfSegments,
  mappedSections,
  PT,
  parseElf,
  SEGMENT_BYTES,
  type Section,
  type Segment,
  SHF,
  SHT,
} from "./read.ts";
import { roundUp, withSections, writeSegments } from "./write.ts";

const NOTE_NAME = "NODE_SEA_BLOB";
const NOTE_SECTION = ".note.node.sea";
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:";
const READABLE = 4;

/** The largest page size we support (arm64 with 64 KiB pages), so that no page needs two sets of rights. */
const PAGE_BYTES = 0x10000;
const SMALLEST_PAGE_BYTES = 0x1000;
const NOTE_HEADER_BYTES = 12;

/**
 * The executable `bytes` with `blob` and the guard inside. With `jitless`, a second blob, the guard has Node
 * start from that one where the system forbids executable memory. Fails unless every precondition holds.
 */
export function injectBlob(bytes: Buffer, blob: Buffer, jitless?: Buffer): Buffer {
  const elf = parseElf(bytes);
  const fuse = requireFuse(elf.bytes);
  const place = requirePlace(elf);
  const cargo = packCargo(elf, place, jitless === undefined ? [blob] : [blob, jitless]);
  const first = { segmentAddress: cargo.address, nameAt: cargo.blobNoteAt + NOTE_HEADER_BYTES };
  if (first.nameAt >= SMALLEST_PAGE_BYTES) throw elfError("its old notes fill a page");
  const guard = placeGuard(elf, jitless === undefined ? undefined : first);
  const content = Buffer.alloc(cargo.offset + cargo.bytes.length);
  elf.bytes.copy(content, 0, 0, endOfSegments(elf));
  cargo.bytes.copy(content, cargo.offset);
  // The parts that moved leave zeros, into which the longer table of program headers grows.
  content.fill(0, place.start, place.end);
  content[fuse] = "1".charCodeAt(0);
  writeGuard(content, guard);
  writeSegments(content, movedSegments(elf, place, cargo, guard));
  return withSections(content, [...movedSections(elf, place, cargo), guard.section]);
}

/** The parts that move: the interpreter's path and the notes, between the program headers and the rest. */
interface Place {
  readonly interp: Segment;
  readonly note: Segment;
  readonly start: number;
  readonly end: number;
}

function requirePlace(elf: Elf): Place {
  const interp = requireOne(elf, PT.interp, "interpreter");
  const note = requireOne(elf, PT.note, "note segment");
  const first = elf.segments.find((it) => it.type === PT.load);
  if (first === undefined || first.offset !== 0) throw elfError("its headers are not mapped");
  const headersEnd = ELF_HEADER_BYTES + elf.segments.length * SEGMENT_BYTES;
  const start = Math.min(interp.offset, note.offset);
  const end = Math.max(interp.offset + interp.fileBytes, note.offset + note.fileBytes);
  if (start < headersEnd || end - headersEnd < SEGMENT_BYTES) {
    throw elfError("there is no room for one more program header");
  }
  const foreign = elf.sections.find(
    (it) =>
      (it.flags & SHF.alloc) !== 0 &&
      it.type !== SHT.nobits &&
      it.offset < end &&
      it.offset + it.sizeBytes > headersEnd &&
      !isInside(it, interp) &&
      !isInside(it, note),
  );
  if (foreign !== undefined) throw elfError(`\`${foreign.name}\` is where the header would go`);
  return { interp, note, start, end };
}

function requireOne(elf: Elf, type: number, what: string): Segment {
  const found = elf.segments.filter((it) => it.type === type);
  const [segment] = found;
  if (segment === undefined || found.length !== 1) {
    throw elfError(`it must have one ${what}, and has ${found.length}`);
  }
  return segment;
}

/** The offset of the fuse's last character. */
function requireFuse(bytes: Buffer): number {
  const at = bytes.indexOf(FUSE);
  if (at === -1) throw elfError("it has no fuse for a blob, so it is not an official Node");
  if (bytes.indexOf(FUSE, at + 1) !== -1) throw elfError("it has two fuses");
  const state = at + FUSE.length;
  if (bytes[state] !== "0".charCodeAt(0)) throw elfError("it already holds a blob");
  return state;
}

/** The new segment: its content, and the place of each part in it. */
interface Cargo {
  readonly bytes: Buffer;
  readonly offset: number;
  readonly address: number;
  readonly blobNoteAt: number;
  readonly pathAt: number;
}

/**
 * The old notes, ours one after the other, and the interpreter's path. The path must not come first:
 * when several segments begin at one offset, llvm-strip takes the first in the table for the one that
 * holds the others and aligns them all by it, and a path needs no alignment.
 */
function packCargo(elf: Elf, { interp, note }: Place, blobs: readonly Buffer[]): Cargo {
  const path = elf.bytes.subarray(interp.offset, interp.offset + interp.fileBytes);
  const notes = elf.bytes.subarray(note.offset, note.offset + note.fileBytes);
  const blobNoteAt = roundUp(notes.length, 4);
  const blobNotes = Buffer.concat(blobs.map((it) => formatNote(NOTE_NAME, it)));
  const pathAt = blobNoteAt + blobNotes.length;
  const bytes = Buffer.alloc(pathAt + path.length);
  notes.copy(bytes, 0);
  blobNotes.copy(bytes, blobNoteAt);
  path.copy(bytes, pathAt);
  const loads = elf.segments.filter((it) => it.type === PT.load);
  return {
    bytes,
    // A segment can be mapped only if its file offset and address have equal remainders.
    offset: roundUp(endOfSegments(elf), PAGE_BYTES),
    address: roundUp(Math.max(...loads.map((it) => it.address + it.memoryBytes)), PAGE_BYTES),
    blobNoteAt,
    pathAt,
  };
}

/** An ELF note: name size, content size, type 0, then both, each padded to four bytes. */
function formatNote(name: string, content: Buffer): Buffer {
  const nameBytes = name.length + 1;
  const start = NOTE_HEADER_BYTES + roundUp(nameBytes, 4);
  const note = Buffer.alloc(start + roundUp(content.length, 4));
  note.writeUInt32LE(nameBytes, 0);
  note.writeUInt32LE(content.length, 4);
  note.write(name, NOTE_HEADER_BYTES, "latin1");
  content.copy(note, start);
  return note;
}

function movedSegments(
  elf: Elf,
  { interp, note }: Place,
  cargo: Cargo,
  guard: Guard,
): readonly Segment[] {
  const lastLoad = elf.segments.findLastIndex((it) => it.type === PT.load);
  const added: Segment = {
    type: PT.load,
    flags: READABLE,
    offset: cargo.offset,
    address: cargo.address,
    fileBytes: cargo.bytes.length,
    memoryBytes: cargo.bytes.length,
    align: PAGE_BYTES,
  };
  const moved = elf.segments.map((it) => {
    if (it === guard.host) return lengthened(guard);
    if (it === interp) {
      return {
        ...it,
        offset: cargo.offset + cargo.pathAt,
        address: cargo.address + cargo.pathAt,
      };
    }
    if (it === note) {
      return {
        ...it,
        offset: cargo.offset,
        address: cargo.address,
        fileBytes: cargo.pathAt,
        memoryBytes: cargo.pathAt,
      };
    }
    if (it.type !== PT.phdr) return it;
    const headersBytes = (elf.segments.length + 1) * SEGMENT_BYTES;
    return { ...it, fileBytes: headersBytes, memoryBytes: headersBytes };
  });
  return moved.toSpliced(lastLoad + 1, 0, added);
}

/** Every section keeps its index, since dynamic symbols refer to it; new sections come last. */
function movedSections(elf: Elf, { interp, note }: Place, cargo: Cargo): readonly Section[] {
  const moved = mappedSections(elf).map((it) => {
    if (!isInside(it, interp) && !isInside(it, note)) return it;
    const at = isInside(it, interp)
      ? cargo.pathAt + it.offset - interp.offset
      : it.offset - note.offset;
    return { ...it, offset: cargo.offset + at, address: cargo.address + at };
  });
  const added: Section = {
    name: NOTE_SECTION,
    type: SHT.note,
    flags: SHF.alloc,
    address: cargo.address + cargo.blobNoteAt,
    offset: cargo.offset + cargo.blobNoteAt,
    sizeBytes: cargo.pathAt - cargo.blobNoteAt,
    link: undefined,
    infoSection: undefined,
    info: 0,
    align: 4,
    entryBytes: 0,
  };
  return [...moved, added];
}

function isInside(section: Section, segment: Segment): boolean {
  return (
    section.sizeBytes > 0 &&
    section.offset >= segment.offset &&
    section.offset + section.sizeBytes <= segment.offset + segment.fileBytes
  );
}
