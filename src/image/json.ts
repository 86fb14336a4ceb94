// JSON that somebody else wrote: every surprise becomes an error that names the document.
import { BootcError } from "../errors.ts";
import { placeOfMistake } from "./json-place.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Skopeo itself accepts manifests and configurations up to this size. */
const BYTES_MAX = 4 << 20;

/** Parses `text`, the document `what`, as a JSON object. */
export function parseJsonObject(what: string, text: string): JsonObject {
  if (text.length > BYTES_MAX) {
    throw malformed(what, `it is larger than ${BYTES_MAX >> 20} MiB`);
  }
  return requireObject(parseJson(what, text), what, "the document");
}

export function requireObject(value: unknown, what: string, where: string): JsonObject {
  if (isObject(value)) return value;
  throw malformed(what, `${where} is not an object`);
}

export function requireArray(value: unknown, what: string, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(what, `${where} is not a list`);
}

export function requireString(value: unknown, what: string, where: string): string {
  if (typeof value === "string") return value;
  throw malformed(what, `${where} is not a string`);
}

/** An optional object of strings, such as labels; absent and null are empty. */
export function requireStrings(
  value: unknown,
  what: string,
  where: string,
): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(requireObject(value, what, where));
  for (const [key, it] of entries) requireString(it, what, `${where}.${key}`);
  return value as Readonly<Record<string, string>>;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error for a document that breaks its format. */
export function malformed(what: string, why: string): BootcError {
  return new BootcError(`${what} is malformed: ${why}`, { kind: "integrity" });
}

/** Parses `text`, the document `what`, whatever kind of value it is. */
export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const place = placeOfMistake(text);
    const where = place && `: line ${place.line}, column ${place.column}`;
    throw malformed(what, `it is not JSON${where ?? ""}`);
  }
}
