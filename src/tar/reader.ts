// Reads a tar stream entry by entry. Content is handed on in pieces of the stream, without copying.
import {
  type Bytes,
  bytesOf,
  stopTaking,
  takeAtHand,
  takeRest,
  takeSome,
  takeWhole,
} from "./bytes.ts";
import {
  addExtension,
  type Extensions,
  entryOf,
  noExtensions,
  type StoredEntry,
  type TarEntry,
} from "./entry.ts";
import { BLOCK, damagedTar, paddingOf, parseHeader, type RawHeader } from "./header.ts";
import { createExpander, type SparseFile } from "./sparse.ts";

/**
 * An entry, and exactly the bytes of its content. They can be read once, before the next entry is asked for;
 * what is not read is skipped.
 */
export type TarItem = PlainItem | SparseItem;

interface PlainItem {
  readonly entry: TarEntry;
  readonly isSparse: false;
  readonly content: Iterable<Buffer> | AsyncIterable<Buffer>;
}

interface SparseItem {
  readonly entry: TarEntry;
  readonly isSparse: true;
  readonly content: AsyncIterable<Buffer | Hole>;
}

/** So many zeros of a sparse file, which may be more than fit into memory. */
export interface Hole {
  readonly kind: "hole";
  readonly length: number;
}

export interface ReadTarOptions {
  /** A tar without an end marker is refused, as one that may have been cut off between two entries. */
  readonly needsEndMarker: boolean;
}

/** Extended headers larger than this are refused; real ones are a few hundred bytes. */
const EXTENSION_MAX = 8 << 20;
/** Entries collected whole are metadata objects and attribute records. */
const COLLECT_MAX = 10 << 20;

const ZERO_BLOCK = Buffer.alloc(BLOCK);
const NOTHING = Buffer.alloc(0);

/** Ends when `tar` has ended. Errors about the tar are of kind `integrity`. */
export async function* readTar(
  tar: AsyncIterable<Buffer>,
  { needsEndMarker }: ReadTarOptions,
): AsyncGenerator<TarItem> {
  const bytes = bytesOf(tar);
  try {
    let extensions = noExtensions();
    let block = await takeBlock(bytes);
    while (block !== undefined && !isZero(block)) {
      const header = parseHeader(block);
      if (isExtension(header)) {
        addExtension(extensions, header, await takeExtension(bytes, header));
      } else {
        const body = openBody(bytes, entryOf(header, extensions));
        if (extensions.seen.size > 0) extensions = noExtensions();
        yield body.item;
        if (!passAtHand(body)) await skipRest(body);
      }
      block = takeAtHand(bytes, BLOCK) ?? (await takeBlock(bytes));
    }
    await takeEnd(bytes, { isMarked: block !== undefined, needsEndMarker, extensions });
  } finally {
    await stopTaking(bytes);
  }
}

/** Undefined where the stream ends. */
async function takeBlock(bytes: Bytes): Promise<Buffer | undefined> {
  const block = await takeWhole(bytes, BLOCK, { isKept: false });
  if (block.length === 0) return undefined;
  if (block.length < BLOCK) throw cutOff();
  return block;
}

function cutOff() {
  return damagedTar("no end: it was cut off");
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZERO_BLOCK);
}

function isExtension({ type }: RawHeader): boolean {
  return type === "pax" || type === "pax-global" || type.startsWith("gnu-");
}

async function takeExtension(bytes: Bytes, header: RawHeader): Promise<Buffer> {
  requireExtensionSize(header);
  const content = await takeWhole(bytes, header.sizeBytes, { isKept: true });
  if (content.length < header.sizeBytes) throw cutOff();
  await skip(bytes, paddingOf(header.sizeBytes));
  return content;
}

/** There may be no records; readers do not agree on what an empty name means. */
function requireExtensionSize({ type, sizeBytes }: RawHeader): void {
  const isPax = type === "pax" || type === "pax-global";
  if (sizeBytes < (isPax ? 0 : 1) || sizeBytes > EXTENSION_MAX) {
    throw damagedTar("an extended header of an impossible size");
  }
}

async function skip(bytes: Bytes, length: number): Promise<void> {
  for (let left = length; left > 0; ) left -= (await requireSome(bytes, left)).length;
}

async function requireSome(bytes: Bytes, max: number): Promise<Buffer> {
  const some = await takeSome(bytes, max);
  if (some === undefined) throw cutOff();
  return some;
}

interface Body {
  readonly item: TarItem;
  readonly stored: Stored;
}

/** What the tar holds for an entry: the map of a sparse file, but not its holes. */
interface Stored {
  readonly bytes: Bytes;
  left: number;
  readonly paddingBytes: number;
}

function openBody(bytes: Bytes, it: StoredEntry): Body {
  const { entry, storedBytes, sparse } = it;
  const stored: Stored = { bytes, left: storedBytes, paddingBytes: paddingOf(storedBytes) };
  if (sparse !== undefined) {
    const content = takeSparse(stored, { ...it, sparse });
    return { item: { entry, isSparse: true, content }, stored };
  }
  return { item: { entry, isSparse: false, content: contentOf(stored) }, stored };
}

function contentOf(stored: Stored): PlainItem["content"] {
  if (stored.left === 0) return [];
  const whole = takeAtHand(stored.bytes, stored.left);
  if (whole === undefined) return takePieces(stored);
  stored.left = 0;
  return [whole];
}

/** Skips the rest when it is padding alone and at hand; tells whether it was. */
function passAtHand({ item, stored }: Body): boolean {
  const isPadding = !item.isSparse && stored.left === 0;
  return isPadding && takeAtHand(stored.bytes, stored.paddingBytes) !== undefined;
}

/** Skips what nobody read; even there, a damaged map of a sparse file is refused. */
async function skipRest({ item, stored }: Body): Promise<void> {
  if (item.isSparse) await exhaust(item.content);
  await skip(stored.bytes, stored.left + stored.paddingBytes);
}

async function* takePieces(stored: Stored): AsyncGenerator<Buffer> {
  while (stored.left > 0) {
    const piece = await requireSome(stored.bytes, stored.left);
    stored.left -= piece.length;
    yield piece;
  }
}

async function* takeSparse(
  stored: Stored,
  { entry, storedBytes, sparse }: StoredEntry & { readonly sparse: SparseFile },
): AsyncGenerator<Buffer | Hole> {
  const expander = createExpander(sparse, { path: entry.path, storedBytes });
  for await (const piece of takePieces(stored)) {
    const parts: (Buffer | Hole)[] = [];
    expander.take(piece, {
      data: (start, end) => parts.push(piece.subarray(start, end)),
      hole: (length) => parts.push({ kind: "hole", length }),
    });
    yield* parts;
  }
  const last: Hole[] = [];
  expander.end({ data: () => {}, hole: (length) => last.push({ kind: "hole", length }) });
  yield* last;
}

async function exhaust(content: AsyncIterable<unknown>): Promise<void> {
  const parts = content[Symbol.asyncIterator]();
  while ((await parts.next()).done !== true);
}

interface End {
  readonly isMarked: boolean;
  readonly needsEndMarker: boolean;
  readonly extensions: Extensions;
}

/** The marker is two blocks of zeros; some tars have only one. Every reader ignores what follows two. */
async function takeEnd(bytes: Bytes, end: End): Promise<void> {
  const next = end.isMarked ? await takeBlock(bytes) : undefined;
  if (next !== undefined && !isZero(next)) throw damagedTar("data after its end");
  // The digest of the layer covers what follows.
  await takeRest(bytes);
  if (end.extensions.seen.size > 0) throw cutOff();
  if (end.needsEndMarker && !end.isMarked) throw damagedTar("no end marker");
}

/** The whole content of an entry, which must not be large. */
export async function collectContent({ entry, content }: TarItem): Promise<Buffer> {
  if (entry.sizeBytes > COLLECT_MAX) throw damagedTar(`an object of ${entry.sizeBytes} bytes`);
  const parts: Buffer[] = [];
  for await (const part of content) {
    parts.push(Buffer.isBuffer(part) ? part : Buffer.alloc(part.length));
  }
  return parts.length === 0 ? NOTHING : Buffer.concat(parts);
}
