// JSON with sorted keys and no white space: the form in which we compare and store documents.
import { isObject, type JsonObject } from "./json.ts";

/** Formats plain data canonically: sorted keys, no white space, no final newline. */
export function formatCanonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) => (isObject(it) ? sortKeys(it) : it));
}

function sortKeys(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
