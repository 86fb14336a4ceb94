// Compares JSON schemas by what they accept.
import { readFile } from "node:fs/promises";

/** The meaning of upstream's schema in `src/format/schema/fixtures`. */
export async function upstreamMeaning(name: string): Promise<unknown> {
  const file = new URL(`../format/schema/fixtures/${name}.schema.json`, import.meta.url);
  return schemaMeaning(JSON.parse(await readFile(file, "utf8")));
}

/** The schema without its descriptions, and with lists sorted whose order does not matter. */
export function schemaMeaning(schema: unknown): unknown {
  if (Array.isArray(schema)) {
    return schema
      .map(schemaMeaning)
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof schema !== "object" || schema === null) return schema;
  const isProse = (key: string, value: unknown) =>
    key === "description" && typeof value === "string";
  const kept = Object.entries(schema).filter(([key, value]) => !isProse(key, value));
  return Object.fromEntries(
    kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, schemaMeaning(value)]),
  );
}
