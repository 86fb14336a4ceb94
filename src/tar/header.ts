// The 512-byte header of a tar entry and the PAX records before it: read and written.
// Formats: POSIX.1-2001 pax "ustar Interchange Format" and "pax Header Block", GNU tar's base-256 numbers.
import { BootcError } from "../errors.ts";

export const BLOCK = 512;

export type EntryType =
  | "file"
  | "hardlink"
  | "symlink"
  | "directory"
  /** Character and block devices, fifos: no content, no place in a commit. */
  | "special"
  /** PAX records for the next entry, or for all. */
  | "pax"
  | "pax-global"
  | "gnu-long-name"
  | "gnu-long-link";

export interface RawHeader {
  readonly type: EntryType;
  /** Raw bytes: a name that is not UTF-8 is refused later, unless an extended header replaces it. */
  readonly name: Buffer;
  readonly linkName: Buffer;
  /** Only the permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeEpoch: number;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "special",
  "4": "special",
  "5": "directory",
  "6": "special",
  x: "pax",
  g: "pax-global",
  L: "gnu-long-name",
  K: "gnu-long-link",
};

/** Reads one block. Errors are of kind `integrity`. */
export function parseHeader(block: Buffer): RawHeader {
  verifyChecksum(block);
  const flag = String.fromCharCode(block[156] ?? 0);
  const type = TYPES[flag];
  if (flag === "S") throw oldSparse(fullName(block));
  if (type === undefined) {
    throw damagedTar(
      `an entry of the type \`${flag}\`, which does not belong in a layer: \`${fullName(block)}\``,
    );
  }
  return {
    type,
    name: fullName(block),
    linkName: field(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    sizeBytes: number(block, 124, 12),
    mtimeEpoch: number(block, 136, 12),
  };
}

function oldSparse(name: Buffer): BootcError {
  return new BootcError(`the layer's tar has a GNU sparse file of the old format, \`${name}\``, {
    kind: "integrity",
    hint: "build the layer with `tar --format=pax`, or without `--sparse`",
  });
}

function verifyChecksum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i] as number;
  for (let i = 156; i < BLOCK; i++) sum += block[i] as number;
  if (number(block, 148, 8) !== sum) throw damagedTar("a header with a wrong checksum");
}

/** POSIX headers have the front of a long name in a field of its own; GNU's use that room otherwise. */
function fullName(block: Buffer): Buffer {
  const name = field(block, 0, 100);
  const isPosix = block[262] === 0 && block.toString("latin1", 257, 262) === "ustar";
  if (!isPosix || block[345] === 0) return name;
  return Buffer.concat([field(block, 345, 155), Buffer.from("/"), name]);
}

const NOTHING = Buffer.alloc(0);

function field(block: Buffer, at: number, length: number): Buffer {
  if (block[at] === 0) return NOTHING;
  const end = block.indexOf(0, at);
  return block.subarray(at, end < 0 || end > at + length ? at + length : end);
}

/** Octal digits between blanks, or GNU's base-256 when the first bit is set. */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) return base256(block, at, length);
  let value = 0;
  let i = at;
  const end = at + length;
  while (i < end && block[i] === 0x20) i++;
  for (; i < end; i++) {
    const digit = (block[i] as number) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < end; i++) {
    if (block[i] !== 0 && block[i] !== 0x20) throw damagedTar("a number that is not octal");
  }
  return value;
}

function base256(block: Buffer, at: number, length: number): number {
  const isNegative = ((block[at] as number) & 0x40) !== 0;
  let value = BigInt(isNegative ? -1 : 0);
  for (let i = 0; i < length; i++) {
    const byte = block[at + i] as number;
    value = (value << 8n) | BigInt(i === 0 && !isNegative ? byte & 0x7f : byte);
  }
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw damagedTar("a number out of range");
  return result;
}

export type PaxRecords = ReadonlyMap<string, Buffer>;

/** The number in a record, if there is one. */
export function numberRecord(records: PaxRecords, key: string): number | undefined {
  const text = records.get(key)?.toString("latin1");
  if (text === undefined) return undefined;
  const value = /^0*[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw damagedTar(`the impossible ${key} \`${text.slice(0, 40)}\``);
  return value;
}

/**
 * Repeated records `length key=value\n`. The last value of a key wins; an empty value unsets the key. The
 * parts of a sparse file in format 0.0, which all have the same keys, become the one record of format 0.1.
 */
export function parsePax(bytes: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (length === 0 || end > bytes.length || equals < 0 || equals >= end) throw damagedPax();
    if (bytes[end - 1] !== 0x0a) throw damagedPax();
    const key = bytes.toString("utf8", space + 1, equals);
    if (key === "") throw damagedPax();
    const value = bytes.subarray(equals + 1, end - 1);
    if (isSparsePart(key)) addSparsePart(parts, key, value);
    else if (value.length === 0) records.delete(key);
    else records.set(key, value);
    at = end;
  }
  if (parts.length > 0) addSparseMap(records, parts);
  return records;
}

const SPARSE_OFFSET = "GNU.sparse.offset";
const SPARSE_LENGTH = "GNU.sparse.numbytes";
const SPARSE_MAP = "GNU.sparse.map";

function isSparsePart(key: string): boolean {
  return key === SPARSE_OFFSET || key === SPARSE_LENGTH;
}

/** By turns, each with digits alone: a comma in one would make two of it. */
function addSparsePart(parts: Buffer[], key: string, value: Buffer): void {
  const expected = parts.length % 2 === 0 ? SPARSE_OFFSET : SPARSE_LENGTH;
  if (key !== expected || !/^[0-9]+$/.test(value.toString("latin1"))) throw damagedPax();
  parts.push(value);
}

function addSparseMap(records: Map<string, Buffer>, parts: readonly Buffer[]): void {
  if (parts.length % 2 !== 0 || records.has(SPARSE_MAP)) throw damagedPax();
  records.set(SPARSE_MAP, Buffer.from(parts.join(",")));
}

function damagedPax(): BootcError {
  return damagedTar("a damaged extended header");
}

export function damagedTar(what: string): BootcError {
  return new BootcError(`the layer's tar has ${what}`, { kind: "integrity" });
}

// ---- writing

export interface NewHeader {
  readonly type: "file" | "hardlink" | "symlink" | "directory";
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Written in this order; libarchive hands them on in reverse. */
  readonly records: readonly (readonly [key: string, value: Buffer])[];
}

const FLAGS = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;
const OCTAL_MAX_7 = 0o7777777;
const OCTAL_MAX_11 = 0o77777777777;

/** The header blocks of an entry: PAX records when something does not fit, and the header itself. */
export function formatHeader(header: NewHeader): Buffer {
  const name = Buffer.from(header.name, "utf8");
  const linkName = Buffer.from(header.linkName, "utf8");
  const records = [...header.records];
  const pax = (key: string, value: Buffer | number) =>
    void records.push([key, typeof value === "number" ? Buffer.from(String(value)) : value]);
  const isNameLong = needsPax(header.name, name);
  const isLinkLong = needsPax(header.linkName, linkName);
  // Otherwise libarchive takes the text apart, and puts it together again in another normal form.
  if (isNameLong || isLinkLong) pax("hdrcharset", Buffer.from("BINARY"));
  if (isNameLong) pax("path", name);
  if (isLinkLong) pax("linkpath", linkName);
  if (header.uid > OCTAL_MAX_7) pax("uid", header.uid);
  if (header.gid > OCTAL_MAX_7) pax("gid", header.gid);
  if (header.sizeBytes > OCTAL_MAX_11) pax("size", header.sizeBytes);
  const block = ustarBlock(FLAGS[header.type], {
    ...header,
    name: isNameLong ? Buffer.from("PaxName") : name,
    linkName: isLinkLong ? Buffer.from("PaxLink") : linkName,
  });
  return records.length === 0 ? block : Buffer.concat([paxBlocks(records), block]);
}

/** Too long for its field, or not ASCII: only then text and bytes differ in length. */
function needsPax(text: string, bytes: Buffer): boolean {
  return bytes.length > 100 || bytes.length !== text.length;
}

function paxBlocks(records: readonly (readonly [string, Buffer])[]): Buffer {
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const block = ustarBlock("x", {
    name: Buffer.from("PaxHeader"),
    linkName: Buffer.alloc(0),
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: body.length,
  });
  return Buffer.concat([block, body, Buffer.alloc(paddingOf(body.length))]);
}

/** The length in front counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length)
    length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

interface BlockFields {
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
}

function ustarBlock(flag: string, fields: BlockFields): Buffer {
  // From the pool of small buffers, which `alloc` does not use.
  const block = Buffer.allocUnsafe(BLOCK).fill(0);
  fields.name.copy(block, 0);
  writeOctal(block, 100, { width: 7, value: fields.mode });
  writeOctal(block, 108, { width: 7, value: fields.uid > OCTAL_MAX_7 ? 0 : fields.uid });
  writeOctal(block, 116, { width: 7, value: fields.gid > OCTAL_MAX_7 ? 0 : fields.gid });
  writeOctal(block, 124, {
    width: 11,
    value: fields.sizeBytes > OCTAL_MAX_11 ? 0 : fields.sizeBytes,
  });
  writeOctal(block, 136, { width: 11, value: 0 });
  block.write(flag, 156, "latin1");
  fields.linkName.copy(block, 157);
  block.write("ustar\x0000", 257, "latin1");
  writeChecksum(block);
  return block;
}

function writeOctal(
  block: Buffer,
  at: number,
  { width, value }: { readonly width: number; readonly value: number },
): void {
  block.write(value.toString(8).padStart(width, "0"), at, "latin1");
}

export function writeChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += block[i] as number;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

/** Zero bytes after `length` bytes of content. */
export function paddingOf(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}
