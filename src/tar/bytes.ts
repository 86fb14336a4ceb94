// A stream of bytes, taken in the amounts that its reader asks for. Bytes within one piece are not copied.

export interface Bytes {
  readonly pieces: AsyncIterator<Buffer>;
  /** The current piece, and where its unread part starts. */
  piece: Buffer;
  at: number;
}

const NOTHING = Buffer.alloc(0);

export function bytesOf(stream: AsyncIterable<Buffer>): Bytes {
  return { pieces: stream[Symbol.asyncIterator](), piece: NOTHING, at: 0 };
}

/** `length` bytes if the current piece has them: nearly always, and it saves a promise. */
export function takeAtHand(bytes: Bytes, length: number): Buffer | undefined {
  if (length === 0) return NOTHING;
  const end = bytes.at + length;
  if (end > bytes.piece.length) return undefined;
  const whole = bytes.piece.subarray(bytes.at, end);
  bytes.at = end;
  return whole;
}

/** One to `max` bytes; undefined at the end. */
export async function takeSome(bytes: Bytes, max: number): Promise<Buffer | undefined> {
  while (bytes.at === bytes.piece.length) {
    const next = await bytes.pieces.next();
    if (next.done === true) return undefined;
    bytes.piece = next.value;
    bytes.at = 0;
  }
  const some = bytes.piece.subarray(bytes.at, bytes.at + max);
  bytes.at += some.length;
  return some;
}

/** `length` bytes, fewer only at the end. With `isKept` a copy, which does not keep the piece in memory. */
export async function takeWhole(
  bytes: Bytes,
  length: number,
  { isKept }: { readonly isKept: boolean },
): Promise<Buffer> {
  const first = await takeSome(bytes, length);
  if (first === undefined) return NOTHING;
  if (first.length === length) return isKept ? Buffer.from(first) : first;
  const parts = [first];
  for (let left = length - first.length; left > 0; ) {
    const part = await takeSome(bytes, left);
    if (part === undefined) break;
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts);
}

/** Reads to the end, ignoring everything. */
export async function takeRest(bytes: Bytes): Promise<void> {
  while ((await takeSome(bytes, Number.POSITIVE_INFINITY)) !== undefined);
}

/** Call it in any case: it tells the stream that nobody reads on. */
export async function stopTaking({ pieces }: Bytes): Promise<void> {
  await pieces.return?.();
}
