// Reads JSON from outside: every unexpected value becomes an error that names the document.
import { BootcError } from "../errors.ts";
import { placeOfMistake } from "./json-place.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The largest manifest or configuration that skopeo itself accepts. */
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

/** An optional object of strings, such as labels; when absent or null, it counts as empty. */
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

/** The error for a document that violates its format. */
export function malformed(what: string, why: string): BootcError {
  return new BootcError(`${what} is malformed: ${why}`, { kind: "integrity" });
}

/** Parses `text`, the document `what`, to a value of any kind. */
export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const place = placeOfMistake(text);
    const where = place && `: line ${place.line}, column ${place.column}`;
    throw malformed(what, `it is not JSON${where ?? ""}`);
  }
}
