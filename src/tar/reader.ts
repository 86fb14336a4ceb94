// A tar stream taken apart and put together again, chunk by chunk, without copying what only passes through.
import type { SpoolRange } from "../pull/import/spool.ts";
import {
  addExtension,
  type Extensions,
  entryOf,
  noExtensions,
  type StoredEntry,
  type TarEntry,
} from "./entry.ts";
import { BLOCK, damagedTar, paddingOf, parseHeader, type RawHeader } from "./header.ts";
import { createExpander, type Expander, type SparseFile } from "./sparse.ts";

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
  | {
      readonly kind: "spool";
      readonly write: (piece: Buffer) => void;
      /** In place of so many zeros, those of a sparse file. */
      readonly skip: (bytes: number) => void;
    };

export type TarHandler = (entry: TarEntry) => Verdict;

/** So many zeros, which may be more than fit into memory. */
export interface Zeros {
  readonly kind: "zeros";
  readonly length: number;
}

/** A part of the resulting tar: bytes, bytes to be read from the spool, or zeros. */
export type TarPart = Uint8Array | SpoolRange | Zeros;

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
  | SparseBody
  | { readonly kind: "extension"; readonly header: RawHeader; left: number }
  | { readonly kind: "end" };

/** The content of a sparse file: what is stored becomes what it stands for, each with its padding. */
interface SparseBody {
  readonly kind: "sparse";
  readonly verdict: Verdict;
  readonly sizeBytes: number;
  readonly expander: Expander;
  /** Of what is stored. */
  left: number;
  padding: number;
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
      if (!isBetween || extensions.seen.size > 0) throw damagedTar("no end: it was cut off");
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
    case "sparse":
      return at + takeSparse(reader, state, chunk.subarray(at));
    case "extension":
      return at + takeExtension(reader, state, chunk.subarray(at));
    case "end":
      // Whatever is there: no reader looks at it, and the digest covers it.
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
    requireExtensionSize(header);
    if (header.sizeBytes === 0) {
      addExtension(reader.extensions, header, EMPTY);
      return { kind: "header" };
    }
    return {
      kind: "extension",
      header,
      left: header.sizeBytes + paddingOf(header.sizeBytes),
    };
  }
  const { entry, storedBytes, sparse } = entryOf(header, reader.extensions, block);
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
  if (sparse !== undefined) return sparseBody(reader, { entry, storedBytes, sparse }, verdict);
  const left = entry.sizeBytes + paddingOf(entry.sizeBytes);
  if (left > 0) return { kind: "body", verdict, sizeBytes: entry.sizeBytes, left };
  if (verdict.kind === "collect") verdict.whenComplete(EMPTY).forEach(reader.output.emit);
  return { kind: "header" };
}

/** Records may be none; a name that is none has no meaning all readers agree on. */
function requireExtensionSize({ type, sizeBytes }: RawHeader): void {
  const isPax = type === "pax" || type === "pax-global";
  if (sizeBytes < (isPax ? 0 : 1) || sizeBytes > EXTENSION_MAX) {
    throw damagedTar("an extended header of an impossible size");
  }
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

/** Even without content, the file may be one hole. */
function sparseBody(
  reader: Reader,
  { entry, storedBytes, sparse }: StoredEntry & { readonly sparse: SparseFile },
  verdict: Verdict,
): State {
  const { path, sizeBytes } = entry;
  const expander = createExpander(sparse, { path, storedBytes });
  const padding = paddingOf(storedBytes);
  const body: SparseBody = {
    kind: "sparse",
    verdict,
    sizeBytes,
    expander,
    left: storedBytes,
    padding,
  };
  if (storedBytes > 0) return body;
  endSparse(reader, body);
  return { kind: "header" };
}

function takeSparse(reader: Reader, body: SparseBody, rest: Buffer): number {
  const { verdict, expander } = body;
  const length = Math.min(rest.length, body.left);
  const stored = rest.subarray(0, length);
  expander.take(stored, {
    data: (start, end) => passSparse(reader, verdict, stored.subarray(start, end)),
    hole: (bytes) => passHole(reader, verdict, bytes),
  });
  body.left -= length;
  const skipped = Math.min(rest.length - length, body.padding);
  body.padding -= skipped;
  if (body.left === 0 && body.padding === 0) {
    endSparse(reader, body);
    reader.state = { kind: "header" };
  }
  return length + skipped;
}

function endSparse(reader: Reader, { verdict, sizeBytes, expander }: SparseBody): void {
  expander.end({
    data: () => {},
    hole: (bytes) => passHole(reader, verdict, bytes),
  });
  const padding = paddingOf(sizeBytes);
  if (padding > 0 && verdict.kind !== "collect") passHole(reader, verdict, padding);
  if (verdict.kind === "collect") {
    verdict.whenComplete(takeHeld(reader)).forEach(reader.output.emit);
  }
}

function passSparse(reader: Reader, verdict: Verdict, data: Buffer): void {
  switch (verdict.kind) {
    case "keep":
      throw new Error("unreachable: the header of a sparse file does not say everything");
    case "replace":
      reader.output.emit(data);
      break;
    case "spool":
      verdict.write(data);
      break;
    case "collect":
      hold(reader, data);
      break;
    case "drop":
      break;
  }
}

function passHole(reader: Reader, verdict: Verdict, bytes: number): void {
  switch (verdict.kind) {
    case "spool":
      verdict.skip(bytes);
      break;
    case "collect":
      hold(reader, Buffer.alloc(bytes));
      break;
    case "keep":
    case "replace":
      reader.output.emit({ kind: "zeros", length: bytes });
      break;
    case "drop":
      break;
  }
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
