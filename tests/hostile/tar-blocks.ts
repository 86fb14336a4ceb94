// Tar headers of every dialect, block by block: the parts of archives to damage.

export const BLOCK = 512;

/** Where each field of a header is. */
export const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  user: [265, 32],
  group: [297, 32],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

export type Field = keyof typeof FIELDS;

const MAGIC = { ustar: "ustar\x0000", gnu: "ustar  \0", v7: "" } as const;

export interface Entry {
  /** The type flag; a file by default. */
  readonly type?: string;
  readonly content?: Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly dialect?: keyof typeof MAGIC;
  /** Fields to write to the header as they are, instead of values derived from the rest. */
  readonly raw?: Readonly<Partial<Record<Field, Buffer | string>>>;
}

/** One entry: its header, and its content padded to a whole block. */
export function entry(name: string, it: Entry = {}): Buffer {
  const content = it.content ?? Buffer.alloc(0);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => value.toString(8).padStart(width, "0");
  write(block, "name", name);
  write(block, "mode", octal(it.mode ?? 0o644, 7));
  write(block, "uid", octal(0, 7));
  write(block, "gid", octal(0, 7));
  write(block, "size", octal(content.length, 11));
  write(block, "mtime", octal(1_700_000_000, 11));
  write(block, "type", it.type ?? "0");
  write(block, "link", it.link ?? "");
  write(block, "magic", MAGIC[it.dialect ?? "ustar"]);
  for (const [field, value] of Object.entries(it.raw ?? {})) write(block, field as Field, value);
  repairChecksum(block);
  return Buffer.concat([block, padded(content)]);
}

export function directory(name: string, it: Entry = {}): Buffer {
  return entry(`${name}/`, { type: "5", mode: 0o755, ...it });
}

/** Replaces a field of a header; the value is cut to the field. */
export function write(block: Buffer, field: Field, value: Buffer | string): void {
  const [at, length] = FIELDS[field];
  const bytes = Buffer.from(value as string);
  block.fill(0, at, at + length);
  bytes.copy(block, at, 0, Math.min(length, bytes.length));
}

export function repairChecksum(block: Buffer): void {
  const [at, length] = FIELDS.checksum;
  block.fill(0x20, at, at + length);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, at, "latin1");
}

export type PaxRecord = readonly [key: string, value: Buffer | string];

/** An extended header, `x` for the next entry or `g` for all. */
export function pax(records: readonly PaxRecord[], type: "x" | "g" = "x"): Buffer {
  return entry("PaxHeaders/0", { type, content: paxBody(records) });
}

export function paxBody(records: readonly PaxRecord[]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = Buffer.concat([
        Buffer.from(` ${key}=`),
        Buffer.from(value as string),
        Buffer.from("\n"),
      ]);
      const digits = [1, 2, 3, 4, 5, 6, 7].find(
        (it) => String(rest.length + it).length === it,
      ) as number;
      return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
    }),
  );
}

/** The records of an extended header, up to the first damaged one. */
export function readPax(body: Buffer): readonly PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < body.length; ) {
    const length = Number.parseInt(body.toString("latin1", at, at + 10), 10);
    const space = body.indexOf(0x20, at);
    const equals = body.indexOf(0x3d, at);
    if (!(length > 0) || space < 0 || equals < 0 || at + length > body.length) break;
    const value = body.subarray(equals + 1, at + length - 1);
    records.push([body.toString("utf8", space + 1, equals), value]);
    at += length;
  }
  return records;
}

/** GNU's long name (`L`) or long link target (`K`) for the next entry. */
export function gnuLong(type: "L" | "K", text: string): Buffer {
  const content = Buffer.from(`${text}\0`);
  return entry("././@LongLink", { type, content, dialect: "gnu" });
}

export function base256(value: number, width: number): Buffer {
  const bytes = Buffer.alloc(width);
  bytes.writeBigUInt64BE(BigInt(value), width - 8);
  bytes[0] = 0x80;
  return bytes;
}

export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

export function endMarker(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

/** A header in an undamaged archive, and the number of bytes of content after it. */
export interface Place {
  readonly at: number;
  readonly type: string;
  readonly sizeBytes: number;
}

/** The places of the headers in an archive, as far as it can be parsed. */
export function findHeaders(tar: Buffer): readonly Place[] {
  const places: Place[] = [];
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const block = tar.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const sizeBytes = sizeOf(block);
    const type = block.toString("latin1", 156, 157);
    places.push({ at, type, sizeBytes });
    at += BLOCK + Math.ceil(sizeBytes / BLOCK) * BLOCK;
    // The map of a GNU sparse file continues in separate blocks.
    if (type === "S" && block[482] === 1) at += BLOCK;
  }
  return places;
}

function sizeOf(block: Buffer): number {
  const [at, length] = FIELDS.size;
  if (((block[at] ?? 0) & 0x80) !== 0) return Number(block.readBigUInt64BE(at + length - 8));
  return Number.parseInt(block.toString("latin1", at, at + length), 8) || 0;
}
