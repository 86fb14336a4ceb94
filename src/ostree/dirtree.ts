// Directory objects, `(a(say)a(sayay))`, read without the generic parser: a merge reads thousands of them.
import { hash } from "node:crypto";
import { BootcError } from "../errors.ts";
import { arrayBounds, decodeUtf8 } from "./gvariant.ts";

/** Names and checksums in one directory, each list sorted by the bytes of the names. */
export interface Dirtree {
  readonly files: readonly TreeFile[];
  readonly dirs: readonly TreeDir[];
}

export interface TreeFile {
  readonly name: string;
  readonly checksum: string;
}

export interface TreeDir {
  readonly name: string;
  readonly tree: string;
  readonly meta: string;
}

/** A directory by its two checksums. */
export interface TreeRef {
  readonly tree: string;
  readonly meta: string;
}

const CHECKSUM_BYTES = 32;

export function parseDirtree(bytes: Uint8Array): Dirtree {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { split, end } = splitLists(all);
  const files = parseEntries(all.subarray(0, split), 1);
  const dirs = parseEntries(all.subarray(split, end), 2);
  return {
    files: files.map(([name, checksum]) => ({ name, checksum: checksum as string })),
    dirs: dirs.map(([name, tree, meta]) => ({ name, tree: tree as string, meta: meta as string })),
  };
}

type Entry = readonly [name: string, ...checksums: string[]];

/** The tree checksums of a directory's subdirectories; everything else is skipped. */
export function childTrees(bytes: Uint8Array): readonly string[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { split, end } = splitLists(all);
  if (split === end) return [];
  const dirs = all.subarray(split, end);
  return arrayBounds(1, dirs).map(([start, end]) => {
    // The last offset says where the name ends; the tree's checksum follows the name.
    const width = widthOf(end - start);
    if (end - start < 2 * (CHECKSUM_BYTES + width)) throw damaged();
    const at = start + dirs.readUIntLE(end - width, width);
    if (at + CHECKSUM_BYTES > end) throw damaged();
    return dirs.toString("hex", at, at + CHECKSUM_BYTES);
  });
}

/** Where the list of subdirectories starts and ends. */
function splitLists(all: Buffer): { readonly split: number; readonly end: number } {
  if (all.length === 0) throw damaged();
  const width = widthOf(all.length);
  const end = all.length - width;
  const split = end < 0 ? 0 : all.readUIntLE(end, width);
  if (split > end) throw damaged();
  return { split, end };
}

/** The members of `a(say)` (one checksum each) or `a(sayay)` (two). */
function parseEntries(bytes: Buffer, checksums: 1 | 2): readonly Entry[] {
  return arrayBounds(1, bytes).map(([start, end]) => {
    const width = widthOf(end - start);
    const nameEnd = end - checksums * (CHECKSUM_BYTES + width);
    if (nameEnd <= start || bytes[nameEnd - 1] !== 0) throw damaged();
    const offset = bytes.readUIntLE(end - width, width);
    if (start + offset !== nameEnd) throw damaged();
    const name = nameOf(bytes, start, nameEnd - 1);
    const first = bytes.toString("hex", nameEnd, nameEnd + CHECKSUM_BYTES);
    if (checksums === 1) return [name, first];
    const second = nameEnd + CHECKSUM_BYTES;
    if (start + bytes.readUIntLE(end - 2 * width, width) !== second) throw damaged();
    return [name, first, bytes.toString("hex", second, second + CHECKSUM_BYTES)];
  });
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  const name = decodeUtf8(bytes.subarray(start, end));
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw damaged();
  }
  return name;
}

function damaged(): BootcError {
  return new BootcError("a directory object is damaged", { kind: "integrity" });
}

/** The bytes of a directory object; the lists need not be sorted. */
export function formatDirtree({ files, dirs }: Dirtree): Buffer {
  const fileBytes = formatEntries(files.map((it) => [it.name, it.checksum]));
  const dirBytes = formatEntries(dirs.map((it) => [it.name, it.tree, it.meta]));
  const width = containerWidth(fileBytes.length + dirBytes.length, 1);
  const offset = Buffer.alloc(width);
  offset.writeUIntLE(fileBytes.length, 0, width);
  return Buffer.concat([fileBytes, dirBytes, offset]);
}

function formatEntries(entries: readonly Entry[]): Buffer {
  if (entries.length === 0) return Buffer.alloc(0);
  const named = entries.map(([name, ...checksums]) => ({
    name: Buffer.from(`${name}\0`, "utf8"),
    checksums,
  }));
  named.sort((a, b) => Buffer.compare(a.name, b.name));
  const parts = named.map(({ name, checksums }) => formatEntry(name, checksums));
  const length = parts.reduce((sum, it) => sum + it.length, 0);
  const width = containerWidth(length, parts.length);
  const table = Buffer.alloc(parts.length * width);
  let end = 0;
  parts.forEach((part, i) => {
    end += part.length;
    table.writeUIntLE(end, i * width, width);
  });
  return Buffer.concat([...parts, table], length + table.length);
}

/** One member: its name, its checksums, and the offsets of all of these but the last, in reverse order. */
function formatEntry(name: Buffer, checksums: readonly string[]): Buffer {
  const bodyLength = name.length + checksums.length * CHECKSUM_BYTES;
  const width = containerWidth(bodyLength, checksums.length);
  const bytes = Buffer.alloc(bodyLength + checksums.length * width);
  name.copy(bytes);
  checksums.forEach((checksum, i) => {
    const start = name.length + i * CHECKSUM_BYTES;
    bytes.write(checksum, start, "hex");
    bytes.writeUIntLE(start, bytes.length - (i + 1) * width, width);
  });
  return bytes;
}

/** Bytes per framing offset in a container of `length` bytes in total. */
function widthOf(length: number): 1 | 2 | 4 {
  if (length <= 0xff) return 1;
  return length <= 0xffff ? 2 : 4;
}

/** Bytes per framing offset when `length` bytes of content are followed by `offsets` offsets. */
function containerWidth(length: number, offsets: number): 1 | 2 | 4 {
  if (length + offsets <= 0xff) return 1;
  return length + 2 * offsets <= 0xffff ? 2 : 4;
}

export function treeChecksum(bytes: Uint8Array): string {
  return hash("sha256", bytes);
}
