// JSON with sorted keys and no white space: the form in which we compare and store documents.

/** Formats plain data canonically: sorted keys, no white space, no final newline. */
export function formatCanonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, it: unknown) => (isRecord(it) ? sortKeys(it) : it));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sortKeys(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
