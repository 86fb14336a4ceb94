// Converts GVariant values to bytes and back by type string, little-endian like every machine we run on.
// Format: GLib's "GVariant Specification", section 2.
import { BootcError } from "../errors.ts";
import { alignUp, parseVariantType, type VariantType } from "./gvariant-type.ts";

/**
 * A value: `b` boolean; `y n q i u h d` number; `x t` bigint; `s o g` string; `v` a {@link Variant};
 * `ay` bytes; other arrays, tuples and dict entries arrays; maybe the value or null.
 */
export type VariantValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Variant
  | null
  | readonly VariantValue[];

/** A value of type `v`: any value with its own type. */
export interface Variant {
  readonly type: string;
  readonly value: VariantValue;
}

/** Reads `bytes` as a value of `type`. Bytes that are not in normal form are an error (`integrity`). */
export function parseVariant(type: string, bytes: Uint8Array): VariantValue {
  return parseValue(
    parseVariantType(type),
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
  );
}

/** Writes `value` as `type`, in normal form. A value that does not fit the type throws a `TypeError`. */
export function formatVariant(type: string, value: VariantValue): Buffer {
  return formatValue(parseVariantType(type), value);
}

function parseValue(type: VariantType, bytes: Buffer): VariantValue {
  if (type.size > 0 && bytes.length !== type.size) throw notNormal();
  switch (type.kind) {
    case "basic":
      return parseBasic(type.code, bytes);
    case "string":
      return parseString(bytes);
    case "variant":
      return parseInnerVariant(bytes);
    case "maybe":
      return parseMaybe(type.element, bytes);
    case "array":
      return parseArray(type.element, bytes);
    case "tuple":
      return parseTuple(type, bytes);
  }
}

function parseBasic(code: string, bytes: Buffer): VariantValue {
  switch (code) {
    case "b":
      if ((bytes[0] ?? 2) > 1) throw notNormal();
      return bytes[0] === 1;
    case "y":
      return bytes.readUInt8();
    case "n":
      return bytes.readInt16LE();
    case "q":
      return bytes.readUInt16LE();
    case "i":
    case "h":
      return bytes.readInt32LE();
    case "u":
      return bytes.readUInt32LE();
    case "x":
      return bytes.readBigInt64LE();
    case "t":
      return bytes.readBigUInt64LE();
    default:
      return bytes.readDoubleLE();
  }
}

function parseString(bytes: Buffer): string {
  if (bytes.length === 0 || bytes.indexOf(0) !== bytes.length - 1) throw notNormal();
  return decodeUtf8(bytes.subarray(0, -1));
}

/** Decodes strictly: bytes that are not UTF-8 are an error. A byte order mark is an ordinary character. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new BootcError("text is not UTF-8", { kind: "integrity", cause });
  }
}
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseInnerVariant(bytes: Buffer): Variant {
  const separator = bytes.lastIndexOf(0);
  if (separator < 0) throw notNormal();
  const type = bytes.toString("latin1", separator + 1);
  return { type, value: parseValue(parseVariantType(type), bytes.subarray(0, separator)) };
}

function parseMaybe(element: VariantType, bytes: Buffer): VariantValue {
  if (bytes.length === 0) return null;
  if (element.size > 0) return parseValue(element, bytes);
  if (bytes[bytes.length - 1] !== 0) throw notNormal();
  return parseValue(element, bytes.subarray(0, -1));
}

function parseArray(element: VariantType, bytes: Buffer): VariantValue {
  if (element.kind === "basic" && element.code === "y") return bytes;
  if (bytes.length === 0) return [];
  if (element.size > 0) {
    if (bytes.length % element.size !== 0) throw notNormal();
    return Array.from({ length: bytes.length / element.size }, (_, i) =>
      parseValue(element, bytes.subarray(i * element.size, (i + 1) * element.size)),
    );
  }
  return arrayBounds(element.align, bytes).map(([from, to]) =>
    parseValue(element, bytes.subarray(from, to)),
  );
}

/** The start and end of each element in an array of variable-size elements. */
export function arrayBounds(align: number, bytes: Buffer): readonly (readonly [number, number])[] {
  if (bytes.length === 0) return [];
  const width = offsetWidth(bytes.length);
  const tableStart = readOffset(bytes, bytes.length - width, width);
  const tableBytes = bytes.length - tableStart;
  if (tableBytes <= 0 || tableBytes % width !== 0) throw notNormal();
  const bounds: [number, number][] = [];
  let end = 0;
  for (let at = tableStart; at < bytes.length; at += width) {
    const start = alignUp(end, align);
    end = readOffset(bytes, at, width);
    if (end < start || end > tableStart) throw notNormal();
    bounds.push([start, end]);
  }
  return bounds;
}

function parseTuple(type: VariantType & { kind: "tuple" }, bytes: Buffer): VariantValue {
  if (type.members.length === 0) return [];
  const width = offsetWidth(bytes.length);
  const last = type.members.length - 1;
  let tableAt = bytes.length;
  let position = 0;
  const tableStart =
    bytes.length - width * type.members.filter((it, i) => it.size === 0 && i !== last).length;
  return type.members.map((member, i) => {
    const start = alignUp(position, member.align);
    if (member.size > 0) position = start + member.size;
    else if (i === last) position = tableStart;
    else {
      tableAt -= width;
      if (tableAt < 0) throw notNormal();
      position = readOffset(bytes, tableAt, width);
    }
    if (position < start || position > tableStart) throw notNormal();
    return parseValue(member, bytes.subarray(start, position));
  });
}

function readOffset(bytes: Buffer, at: number, width: number): number {
  if (at < 0 || at + width > bytes.length) throw notNormal();
  return width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width);
}

/** Bytes per framing offset in a container of `length` bytes, including its offsets. */
function offsetWidth(length: number): 1 | 2 | 4 | 8 {
  if (length <= 0xff) return 1;
  if (length <= 0xffff) return 2;
  return length <= 0xffff_ffff ? 4 : 8;
}

function notNormal(): BootcError {
  return new BootcError("data is not a GVariant of the expected type", { kind: "integrity" });
}

function formatValue(type: VariantType, value: VariantValue): Buffer {
  switch (type.kind) {
    case "basic":
      return formatBasic(type.code, value);
    case "string":
      return formatString(value);
    case "variant":
      return formatInnerVariant(value);
    case "maybe":
      return formatMaybe(type.element, value);
    case "array":
      return formatArray(type.element, value);
    case "tuple":
      return formatTuple(type, value);
  }
}

function formatBasic(code: string, value: VariantValue): Buffer {
  const size = "by".includes(code) ? 1 : "nq".includes(code) ? 2 : "iuh".includes(code) ? 4 : 8;
  const bytes = Buffer.alloc(size);
  if (code === "b") {
    if (typeof value !== "boolean") throw mismatch(code, value);
    bytes[0] = value ? 1 : 0;
  } else if (code === "x" || code === "t") {
    if (typeof value !== "bigint") throw mismatch(code, value);
    if (code === "x") bytes.writeBigInt64LE(value);
    else bytes.writeBigUInt64LE(value);
  } else {
    if (typeof value !== "number") throw mismatch(code, value);
    if (code === "d") bytes.writeDoubleLE(value);
    else if (code === "n") bytes.writeInt16LE(value);
    else if (code === "i" || code === "h") bytes.writeInt32LE(value);
    else bytes.writeUIntLE(value, 0, size);
  }
  return bytes;
}

function formatString(value: VariantValue): Buffer {
  if (typeof value !== "string" || value.includes("\0")) throw mismatch("s", value);
  return Buffer.from(`${value}\0`, "utf8");
}

function formatInnerVariant(value: VariantValue): Buffer {
  if (value === null || typeof value !== "object" || !("type" in value)) throw mismatch("v", value);
  const child = formatVariant(value.type, value.value);
  return Buffer.concat([child, Buffer.from(`\0${value.type}`, "latin1")]);
}

function formatMaybe(element: VariantType, value: VariantValue): Buffer {
  if (value === null) return Buffer.alloc(0);
  const child = formatValue(element, value);
  return element.size > 0 ? child : Buffer.concat([child, Buffer.alloc(1)]);
}

function formatArray(element: VariantType, value: VariantValue): Buffer {
  if (element.kind === "basic" && element.code === "y") {
    if (!(value instanceof Uint8Array)) throw mismatch("ay", value);
    return Buffer.from(value);
  }
  if (!Array.isArray(value)) throw mismatch("array", value);
  const parts: Buffer[] = [];
  const ends: number[] = [];
  let length = 0;
  for (const it of value) {
    length += pad(parts, length, element.align);
    const child = formatValue(element, it);
    parts.push(child);
    length += child.length;
    ends.push(length);
  }
  return element.size > 0 ? Buffer.concat(parts) : withOffsets(parts, length, ends);
}

function formatTuple(type: VariantType & { kind: "tuple" }, value: VariantValue): Buffer {
  const { members } = type;
  if (!Array.isArray(value) || value.length !== members.length) throw mismatch("tuple", value);
  if (members.length === 0) return Buffer.alloc(1);
  const parts: Buffer[] = [];
  const ends: number[] = [];
  let length = 0;
  members.forEach((member, i) => {
    length += pad(parts, length, member.align);
    const child = formatValue(member, value[i] as VariantValue);
    parts.push(child);
    length += child.length;
    if (member.size === 0 && i + 1 < members.length) ends.unshift(length);
  });
  if (type.size > 0) pad(parts, length, type.align);
  return withOffsets(parts, length, ends);
}

function pad(parts: Buffer[], length: number, align: number): number {
  const gap = alignUp(length, align) - length;
  if (gap > 0) parts.push(Buffer.alloc(gap));
  return gap;
}

/** Appends the framing offsets, in the smallest width that can express the container's whole length. */
function withOffsets(parts: Buffer[], length: number, ends: readonly number[]): Buffer {
  if (ends.length === 0) return Buffer.concat(parts);
  const width = ([1, 2, 4, 8] as const).find(
    (it) => length + ends.length * it <= 2 ** (8 * it) - 1,
  );
  const table = Buffer.alloc(ends.length * (width ?? 8));
  ends.forEach((end, i) => {
    if (width === 8) table.writeBigUInt64LE(BigInt(end), i * 8);
    else table.writeUIntLE(end, i * (width ?? 8), width ?? 8);
  });
  return Buffer.concat([...parts, table]);
}

function mismatch(type: string, value: VariantValue): TypeError {
  return new TypeError(`${String(value)} is not a value of GVariant type ${type}`);
}
