// Parses GVariant type strings, and finds each type's alignment and fixed size.
// Format: GLib's "GVariant Specification", sections 2.1 and 2.3.
import { BootcError } from "../errors.ts";

export type VariantType =
  | { readonly kind: "basic"; readonly code: string; readonly align: number; readonly size: number }
  | { readonly kind: "string"; readonly code: string; readonly align: 1; readonly size: 0 }
  | { readonly kind: "variant"; readonly align: 8; readonly size: 0 }
  | {
      readonly kind: "array" | "maybe";
      readonly element: VariantType;
      readonly align: number;
      readonly size: 0;
    }
  /** A tuple or a dict entry; `size` is 0 when a member has no fixed size. */
  | {
      readonly kind: "tuple";
      readonly members: readonly VariantType[];
      readonly align: number;
      readonly size: number;
    };

/** Sizes of the numeric types, which are also their alignments. */
const BASIC_SIZES: Readonly<Record<string, number>> = {
  b: 1,
  y: 1,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
};

const NESTING_MAX = 32;
const cache = new Map<string, VariantType>();

/** Parses one complete type, such as `a{sv}` or `(uuua(ayay))`. */
export function parseVariantType(text: string): VariantType {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const { type, end } = parseAt(text, 0, 0);
  if (end !== text.length) throw badType(text);
  // Types from foreign files must not make the cache grow without limit.
  if (cache.size < 256) cache.set(text, type);
  return type;
}

interface Parsed {
  readonly type: VariantType;
  readonly end: number;
}

function parseAt(text: string, at: number, depth: number): Parsed {
  const code = text[at] ?? "";
  if (depth > NESTING_MAX) throw badType(text);
  const size = BASIC_SIZES[code];
  if (size !== undefined) {
    return { type: { kind: "basic", code, align: size, size }, end: at + 1 };
  }
  switch (code) {
    case "s":
    case "o":
    case "g":
      return { type: { kind: "string", code, align: 1, size: 0 }, end: at + 1 };
    case "v":
      return { type: { kind: "variant", align: 8, size: 0 }, end: at + 1 };
    case "a":
    case "m": {
      const { type: element, end } = parseAt(text, at + 1, depth + 1);
      const kind = code === "a" ? "array" : "maybe";
      return { type: { kind, element, align: element.align, size: 0 }, end };
    }
    case "(":
    case "{":
      return parseTupleAt(text, at, depth);
    default:
      throw badType(text);
  }
}

function parseTupleAt(text: string, at: number, depth: number): Parsed {
  const close = text[at] === "(" ? ")" : "}";
  const members: VariantType[] = [];
  let position = at + 1;
  while (text[position] !== close) {
    if (position >= text.length) throw badType(text);
    const { type, end } = parseAt(text, position, depth + 1);
    members.push(type);
    position = end;
  }
  const isEntry = close === "}";
  if (isEntry && (members.length !== 2 || !isBasic(members[0]))) throw badType(text);
  return { type: tupleOf(members), end: position + 1 };
}

function isBasic(type: VariantType | undefined): boolean {
  return type?.kind === "basic" || type?.kind === "string";
}

function tupleOf(members: readonly VariantType[]): VariantType {
  const align = Math.max(1, ...members.map((it) => it.align));
  const isFixed = members.every((it) => it.size > 0);
  // An empty tuple is one zero byte.
  const end = members.reduce((sum, it) => alignUp(sum, it.align) + it.size, 0);
  const size = isFixed ? Math.max(1, alignUp(end, align)) : 0;
  return { kind: "tuple", members, align, size };
}

export function alignUp(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

function badType(text: string): BootcError {
  return new BootcError(`\`${text}\` is not a GVariant type`, { kind: "integrity" });
}
