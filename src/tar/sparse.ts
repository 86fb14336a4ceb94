// Sparse files in GNU tar's PAX formats 0.0, 0.1 and 1.0: content stored without holes gets them back.
// Formats: "Storing Sparse Files" in GNU tar's manual.
import type { BootcError } from "../errors.ts";
import { damagedTar, numberRecord, type PaxRecords, paddingOf } from "./header.ts";

export interface SparseFile {
  /** With the holes. */
  readonly sizeBytes: number;
  /** Format 1.0 has it at the start of the content instead. */
  readonly map: SparseMap | undefined;
}

/** For each part with data, in order: where it begins, and its length. */
export type SparseMap = readonly number[];

/** What comes out: parts of the piece that was handed in, and holes between them. */
export interface SparseOutput {
  data(start: number, end: number): void;
  hole(bytes: number): void;
}

export interface Expander {
  /** Takes the next piece of what is stored, without padding. */
  take(piece: Buffer, output: SparseOutput): void;
  /** Everything was taken; the last hole comes. */
  end(output: SparseOutput): void;
}

/** Real maps have some hundred parts. */
const PARTS_MAX = 1 << 18;
const MAP_BYTES_MAX = 8 << 20;

interface Stored {
  readonly path: string;
  /** The size of the content in the tar. */
  readonly storedBytes: number;
}

/** What the records say of the next file; undefined when it is not sparse. Errors are of kind `integrity`. */
export function sparseOf(records: PaxRecords, stored: Stored): SparseFile | undefined {
  const isSparse = [...records.keys()].some((key) => key.startsWith("GNU.sparse."));
  if (!isSparse) return undefined;
  const sizeBytes = realSize(records, stored);
  const mapRecord = records.get("GNU.sparse.map");
  if (hasMapInContent(records, stored)) {
    if (mapRecord !== undefined) throw damagedSparse(stored, "has two maps");
    return { sizeBytes, map: undefined };
  }
  if (mapRecord === undefined) throw damagedSparse(stored, "has no map");
  const partCount = numberRecord(records, "GNU.sparse.numblocks");
  const map = parseMap(mapRecord, stored);
  if (map.length !== 2 * (partCount ?? -1))
    throw damagedSparse(stored, "has another number of parts");
  requireMap(map, sizeBytes, stored);
  return { sizeBytes, map };
}

function realSize(records: PaxRecords, stored: Stored): number {
  const size = numberRecord(records, "GNU.sparse.size");
  const realSize = numberRecord(records, "GNU.sparse.realsize");
  const sizeBytes = realSize ?? size;
  if (sizeBytes === undefined) throw damagedSparse(stored, "has no size");
  if (size !== undefined && size !== sizeBytes) throw damagedSparse(stored, "has two sizes");
  return sizeBytes;
}

/** By the version as it is written: with half of it, or other digits, some readers see a plain file. */
function hasMapInContent(records: PaxRecords, stored: Stored): boolean {
  const major = records.get("GNU.sparse.major")?.toString("latin1") ?? "";
  const minor = records.get("GNU.sparse.minor")?.toString("latin1") ?? "";
  const version = `${major}.${minor}`;
  if (version === "1.0") return true;
  // The older formats came without a version at first.
  if (version === "0.0" || version === "0.1" || version === ".") return false;
  throw damagedSparse(stored, `is of the unknown format ${version.slice(0, 40)}`);
}

function parseMap(record: Buffer, stored: Stored): SparseMap {
  const list = createNumberList(COMMA, stored);
  for (const byte of record) list.add(byte);
  // What ends the last number is not written.
  list.add(COMMA);
  return list.numbers;
}

/** Ascending, within the file, and as much data as there is. */
function requireMap(map: SparseMap, sizeBytes: number, stored: Stored): void {
  let end = 0;
  let dataBytes = 0;
  for (let i = 0; i < map.length; i += 2) {
    const [start, length] = partOf(map, i);
    if (start < end) throw damagedSparse(stored, "has parts that overlap or are not in order");
    end = start + length;
    dataBytes += length;
    if (end > sizeBytes) throw damagedSparse(stored, "has a part beyond its end");
  }
  if (dataBytes !== stored.storedBytes) {
    throw damagedSparse(stored, "has another amount of data than its map says");
  }
}

function partOf(map: SparseMap, at: number): readonly [start: number, length: number] {
  const start = map[at];
  const length = map[at + 1];
  if (start === undefined || length === undefined) throw new Error("unreachable: half a part");
  return [start, length];
}

/** Puts the holes back. What is stored must be what `stored` says, of a file by `sparseOf`. */
export function createExpander({ sizeBytes, map: known }: SparseFile, stored: Stored): Expander {
  const mapReader = known === undefined ? createMapReader(sizeBytes, stored) : undefined;
  let map = known;
  let next = 0;
  let left = 0;
  /** Where in the file with holes the next byte of data goes. */
  let position = 0;

  function hole(end: number, output: SparseOutput): void {
    if (end > position) output.hole(end - position);
    position = end;
  }

  /** The next part that has data; the map was compared with how much there is. */
  function nextPart(parts: SparseMap): number {
    let start = position;
    while (left === 0) {
      [start, left] = partOf(parts, next);
      next += 2;
    }
    return start;
  }

  return {
    take(piece, output) {
      let at = mapReader?.take(piece) ?? 0;
      map ??= mapReader?.map();
      while (map !== undefined && at < piece.length) {
        if (left === 0) hole(nextPart(map), output);
        const end = Math.min(piece.length, at + left);
        output.data(at, end);
        position += end - at;
        left -= end - at;
        at = end;
      }
    },
    end(output) {
      if (map === undefined) throw damagedSparse(stored, "ends inside its map");
      hole(sizeBytes, output);
    },
  };
}

/** The map of format 1.0: how many parts, then these, a number a line, and zeros up to a whole block. */
function createMapReader(sizeBytes: number, stored: Stored) {
  const list = createNumberList(LINE_END, stored);
  let bytes = 0;
  let map: SparseMap | undefined;

  function complete(): void {
    const [count = 0] = list.numbers;
    if (count > PARTS_MAX) throw damagedSparse(stored, "has too many parts");
    if (list.numbers.length <= 2 * count) return;
    const parts = list.numbers.slice(1);
    const mapBytes = bytes + paddingOf(bytes);
    requireMap(parts, sizeBytes, { ...stored, storedBytes: stored.storedBytes - mapBytes });
    map = parts;
  }

  return {
    /** How many bytes at the start of `piece` belong to the map. */
    take(piece: Buffer): number {
      let at = 0;
      for (; map === undefined && at < piece.length; at++) {
        const byte = piece[at] as number;
        list.add(byte);
        bytes++;
        if (byte === LINE_END) complete();
      }
      const skipped = map === undefined ? 0 : Math.min(paddingOf(bytes), piece.length - at);
      bytes += skipped;
      return at + skipped;
    },
    map: () => map,
  };
}

const COMMA = 0x2c;
const LINE_END = 0x0a;
const ZERO = 0x30;
/** Fifteen digits, which a number here can hold. */
const NUMBER_MAX = 999_999_999_999_999;

/** Decimal numbers, read byte by byte. */
function createNumberList(separator: number, stored: Stored) {
  const numbers: number[] = [];
  let value = 0;
  let digits = 0;
  let bytes = 0;
  return {
    numbers,
    add(byte: number): void {
      bytes++;
      if (bytes > MAP_BYTES_MAX || numbers.length > 2 * PARTS_MAX) {
        throw damagedSparse(stored, "has too many parts");
      }
      if (byte === separator && digits > 0) {
        numbers.push(value);
        value = 0;
        digits = 0;
        return;
      }
      const digit = byte - ZERO;
      value = value * 10 + digit;
      digits++;
      if (digit < 0 || digit > 9 || value > NUMBER_MAX) {
        throw damagedSparse(stored, "has a map that cannot be read");
      }
    },
  };
}

function damagedSparse({ path }: Stored, what: string): BootcError {
  return damagedTar(`the sparse file \`${path}\`, which ${what}`);
}
