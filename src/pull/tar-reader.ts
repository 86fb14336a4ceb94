// A tar stream taken apart and put together again, chunk by chunk, without copying what only passes through.
import { decodeUtf8 } from "../ostree/gvariant.ts";
import type { SpoolRange } from "./spool.ts";
import {
  BLOCK,
  damagedTar,
  type PaxRecords,
  paddingOf,
  parseHeader,
  parsePax,
  type RawHeader,
} from "./tar-header.ts";

/** One entry with its extended headers applied. */
export interface TarEntry {
  readonly type: "file" | "hardlink" | "symlink" | "directory" | "special";
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content in the tar; 0 for all but files. */
  readonly sizeBytes: number;
  readonly mtimeEpoch: number;
  readonly records: PaxRecords;
  /** The header itself when it says everything: it may be changed in place and passed on. */
  readonly plainBlock: Buffer | undefined;
}

/**
 * What happens to an entry: nothing of it is passed on (`drop`); header and content are (`keep`, the
 * possibly changed in place); new header blocks stand for the old (`replace`); its content is handed over
 * (`collect`, of bounded size; `spool`, in pieces, with the padding).
 */
export type Verdict =
  | { readonly kind: "drop" }
  | { readonly kind: "keep" }
  | {
      readonly kind: "replace";
      readonly header: Buffer;
      /** Content for an entry that has none in the tar. */
      readonly content?: SpoolRange;
    }
  | { readonly kind: "collect"; readonly whenComplete: (content: Buffer) => readonly Buffer[] }
  | { readonly kind: "spool"; readonly write: (piece: Buffer) => void };

export type TarHandler = (entry: TarEntry) => Verdict;

/** A part of the resulting tar: bytes, or bytes to be read from the spool. */
export type TarPart = Uint8Array | SpoolRange;

export interface TarFilter {
  /** Takes the next piece of the tar; returns what is passed on. May change `chunk`. */
  feed(chunk: Buffer): readonly TarPart[];
  /** At the end of the input: whether the end marker was seen. Inside an entry it is an error. */
  end(): { readonly hasEndMarker: boolean };
}

/** Extended headers larger than this are refused; real ones are a few hundred bytes. */
const EXTENSION_MAX = 8 << 20;
/** Entries collected whole are metadata objects and attribute records. */
const COLLECT_MAX = 10 << 20;

const ZEROS = Buffer.alloc(1 << 16);

type State =
  | { readonly kind: "header" }
  | { readonly kind: "body"; readonly verdict: Verdict; readonly sizeBytes: number; left: number }
  | { readonly kind: "extension"; readonly header: RawHeader; left: number }
  | { readonly kind: "end" };

interface Extensions {
  records: Map<string, Buffer>;
  name: Buffer | undefined;
  linkName: Buffer | undefined;
}

/** Where the filter is in the stream, and what it keeps for later. */
interface Reader {
  readonly handle: TarHandler;
  readonly output: ReturnType<typeof createOutput>;
  state: State;
  /** Pieces of a header, an extension or a collected object that is not complete yet. */
  held: Buffer[];
  heldBytes: number;
  extensions: Extensions;
  isAfterZeroBlock: boolean;
}

export function createTarFilter(handle: TarHandler): TarFilter {
  const reader: Reader = {
    handle,
    output: createOutput(),
    state: { kind: "header" },
    held: [],
    heldBytes: 0,
    extensions: noExtensions(),
    isAfterZeroBlock: false,
  };
  return {
    feed(chunk) {
      for (let at = 0; at < chunk.length; ) at = take(reader, chunk, at);
      return reader.output.take();
    },
    end() {
      const { state, heldBytes, extensions, isAfterZeroBlock } = reader;
      const isBetween = state.kind === "end" || (state.kind === "header" && heldBytes === 0);
      if (!isBetween || hasExtensions(extensions)) throw damagedTar("no end: it was cut off");
      return { hasEndMarker: isAfterZeroBlock };
    },
  };
}

/** Takes what the state wants from `chunk`; returns where the next piece starts. */
function take(reader: Reader, chunk: Buffer, at: number): number {
  const { state } = reader;
  switch (state.kind) {
    case "header":
      return takeHeader(reader, chunk, at);
    case "body":
      return takeBody(reader, state, chunk.subarray(at), { chunk, at });
    case "extension":
      return at + takeExtension(reader, state, chunk.subarray(at));
    case "end":
      if (!isZero(chunk.subarray(at))) throw damagedTar("data after its end");
      return chunk.length;
  }
}

/** A copy, so that a small object does not keep its whole chunk in memory. */
function hold(reader: Reader, piece: Buffer): void {
  reader.held.push(Buffer.from(piece));
  reader.heldBytes += piece.length;
}

function takeHeld(reader: Reader): Buffer {
  const all = reader.held.length === 1 ? (reader.held[0] as Buffer) : Buffer.concat(reader.held);
  reader.held = [];
  reader.heldBytes = 0;
  return all;
}

function takeHeader(reader: Reader, chunk: Buffer, at: number): number {
  const isWhole = reader.heldBytes === 0 && chunk.length - at >= BLOCK;
  const end = Math.min(chunk.length, at + BLOCK - reader.heldBytes);
  if (!isWhole) hold(reader, chunk.subarray(at, end));
  if (!isWhole && reader.heldBytes < BLOCK) return end;
  const block = isWhole ? chunk.subarray(at, end) : takeHeld(reader);
  if (isZero(block)) {
    if (reader.isAfterZeroBlock) reader.state = { kind: "end" };
    reader.isAfterZeroBlock = true;
    return end;
  }
  if (reader.isAfterZeroBlock) throw damagedTar("data after its end");
  reader.state = afterHeader(reader, block, () => {
    if (isWhole) reader.output.pass(chunk, at, end);
    else reader.output.emit(block);
  });
  return end;
}

function afterHeader(reader: Reader, block: Buffer, passOn: () => void): State {
  const header = parseHeader(block);
  if (isExtension(header)) {
    if (header.sizeBytes <= 0 || header.sizeBytes > EXTENSION_MAX) {
      throw damagedTar("an extended header of an impossible size");
    }
    return {
      kind: "extension",
      header,
      left: header.sizeBytes + paddingOf(header.sizeBytes),
    };
  }
  const entry = entryOf(header, reader.extensions, block);
  reader.extensions = noExtensions();
  const verdict = reader.handle(entry);
  if (verdict.kind === "keep") passOn();
  if (verdict.kind === "replace") {
    reader.output.emit(verdict.header);
    if (verdict.content !== undefined) reader.output.emit(verdict.content);
  }
  if (verdict.kind === "collect" && entry.sizeBytes > COLLECT_MAX) {
    throw damagedTar(`an object of ${entry.sizeBytes} bytes`);
  }
  const left = entry.sizeBytes + paddingOf(entry.sizeBytes);
  if (left > 0) return { kind: "body", verdict, sizeBytes: entry.sizeBytes, left };
  if (verdict.kind === "collect") verdict.whenComplete(EMPTY).forEach(reader.output.emit);
  return { kind: "header" };
}

function isExtension({ type }: RawHeader): boolean {
  return type === "pax" || type === "pax-global" || type.startsWith("gnu-");
}

function takeBody(
  reader: Reader,
  body: State & { kind: "body" },
  rest: Buffer,
  { chunk, at }: { readonly chunk: Buffer; readonly at: number },
): number {
  const length = Math.min(rest.length, body.left);
  body.left -= length;
  const { verdict } = body;
  switch (verdict.kind) {
    case "keep":
    case "replace":
      reader.output.pass(chunk, at, at + length);
      break;
    case "spool":
      verdict.write(rest.subarray(0, length));
      break;
    case "collect":
      hold(reader, rest.subarray(0, length));
      if (body.left > 0) break;
      verdict
        .whenComplete(takeHeld(reader).subarray(0, body.sizeBytes))
        .forEach(reader.output.emit);
      break;
    case "drop":
      break;
  }
  if (body.left === 0) reader.state = { kind: "header" };
  return at + length;
}

function takeExtension(
  reader: Reader,
  extension: State & { kind: "extension" },
  rest: Buffer,
): number {
  const length = Math.min(rest.length, extension.left);
  extension.left -= length;
  hold(reader, rest.subarray(0, length));
  if (extension.left === 0) {
    const content = takeHeld(reader).subarray(0, extension.header.sizeBytes);
    addExtension(reader.extensions, extension.header, content);
    reader.state = { kind: "header" };
  }
  return length;
}

const EMPTY = Buffer.alloc(0);

function isZero(bytes: Buffer): boolean {
  if (bytes.length > 0 && bytes[0] !== 0) return false;
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) return false;
  }
  return true;
}

/** Collects what is passed on; neighbouring parts of a chunk become one. */
function createOutput() {
  let parts: TarPart[] = [];
  let source: Buffer | undefined;
  let from = 0;
  let to = 0;
  function flush(): void {
    if (source !== undefined && to > from) parts.push(source.subarray(from, to));
    source = undefined;
  }
  return {
    pass(chunk: Buffer, start: number, end: number): void {
      if (source === chunk && to === start) {
        to = end;
        return;
      }
      flush();
      source = chunk;
      from = start;
      to = end;
    },
    emit(part: TarPart): void {
      flush();
      parts.push(part);
    },
    take(): readonly TarPart[] {
      flush();
      const taken = parts;
      parts = [];
      return taken;
    },
  };
}

function noExtensions(): Extensions {
  return { records: new Map(), name: undefined, linkName: undefined };
}

function hasExtensions(it: Extensions): boolean {
  return it.records.size > 0 || it.name !== undefined || it.linkName !== undefined;
}

/** Global records that would change what an entry is; nobody writes those, so nobody may smuggle them. */
const LOCAL_ONLY = /^(path|linkpath|size|uid|gid|GNU\.sparse\..*|SCHILY\..*|LIBARCHIVE\..*)$/;

function addExtension(extensions: Extensions, header: RawHeader, content: Buffer): void {
  switch (header.type) {
    case "pax":
      for (const [key, value] of parsePax(content)) extensions.records.set(key, value);
      return;
    case "pax-global":
      for (const key of parsePax(content).keys()) {
        if (LOCAL_ONLY.test(key)) throw damagedTar(`the global extended header \`${key}\``);
      }
      return;
    case "gnu-long-name":
      extensions.name = untilNul(content);
      return;
    default:
      extensions.linkName = untilNul(content);
  }
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function entryOf(
  header: RawHeader,
  { records, name, linkName }: Extensions,
  block: Buffer,
): TarEntry {
  const path = textOf(records.get("path") ?? name ?? header.name);
  // The oldest tars mark a directory by its name alone, which may be in an extended header.
  const isNamedDirectory = header.type === "file" && path.endsWith("/");
  const type = isNamedDirectory ? "directory" : (header.type as TarEntry["type"]);
  const isPlain = records.size === 0 && name === undefined && linkName === undefined;
  const sizeBytes = numberRecord(records, "size") ?? header.sizeBytes;
  const uid = numberRecord(records, "uid") ?? header.uid;
  const gid = numberRecord(records, "gid") ?? header.gid;
  if (sizeBytes < 0) throw damagedTar("an entry of negative size");
  if (type === "hardlink" && sizeBytes > 0) throw damagedTar("a hard link with content");
  if (!isId(uid) || !isId(gid)) throw damagedTar("an owner out of range");
  for (const key of records.keys()) {
    if (key.startsWith("GNU.sparse.")) throw damagedTar("a sparse file, which is not supported");
  }
  return {
    type,
    path,
    linkPath: textOf(records.get("linkpath") ?? linkName ?? header.linkName),
    mode: header.mode,
    uid,
    gid,
    sizeBytes: type === "file" ? sizeBytes : 0,
    mtimeEpoch: timeRecord(records) ?? header.mtimeEpoch,
    records,
    plainBlock: isPlain && isUnambiguous(block, type, sizeBytes) ? block : undefined,
  };
}

/** Every reader takes the header for the same: no content where none belongs, no directory by its name. */
function isUnambiguous(block: Buffer, type: TarEntry["type"], sizeBytes: number): boolean {
  if (type === "file") return true;
  return sizeBytes === 0 && (type !== "directory" || block[156] === 0x35);
}

function isId(id: number): boolean {
  return id >= 0 && id < 0xffff_ffff;
}

function numberRecord(records: PaxRecords, key: string): number | undefined {
  const text = records.get(key)?.toString("latin1");
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw damagedTar(`the impossible ${key} \`${text.slice(0, 40)}\``);
  return value;
}

/** Seconds, rounded up: any time after the epoch counts as later than the epoch. */
function timeRecord(records: PaxRecords): number | undefined {
  const text = records.get("mtime")?.toString("latin1");
  if (text === undefined) return undefined;
  return /^-?[0-9]+(\.[0-9]*)?$/.test(text) ? Math.ceil(Number(text)) : undefined;
}

function textOf(bytes: Buffer): string {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === 0) throw damagedTar("a path with a zero byte");
    if (byte >= 0x80) return utf8Of(bytes);
  }
  return bytes.toString("latin1");
}

function utf8Of(bytes: Buffer): string {
  try {
    const text = decodeUtf8(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Said below, with the bytes as far as they can be read.
  }
  throw damagedTar(`a path that is not UTF-8: \`${bytes.toString("utf8")}\``);
}
