// Writes plain data as YAML. `status` prints YAML whenever its output is not a terminal, and loading the
// library that also parses YAML took a fifth of its start-up time.

/** Scalars that YAML 1.2 reads as null, a boolean or a number instead of text. */
const NOT_TEXT = new RegExp(
  `^(?:${[
    "~|null|Null|NULL|true|True|TRUE|false|False|FALSE",
    "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "[-+]?(?:\\.[0-9]+|[0-9]+(?:\\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
    "[-+]?\\.(?:inf|Inf|INF)|\\.(?:nan|NaN|NAN)",
  ].join("|")})$`,
);

/** Text that needs no quotes: no indicator in front, nothing that ends a scalar, no control character. */
const PLAIN =
  /^(?![-?:,[\]{}#&*!|>'"%@`\s])(?!\.\.\.)(?:(?!: |:$| #)[\x20-\x7e\u00a1-\u167f])+(?<! )$/;

/** Characters that JSON leaves as they are in text and YAML does not. */
const UNPRINTABLE = /[\x7f-\xa0\ud800-\udfff\u2028\u2029\ufeff\ufffe\uffff]/g;

/**
 * Formats JSON data, with keys in their order and without a final newline. An ostree remote's signature
 * becomes a tagged scalar: `signature: !ostreeRemote NAME`.
 */
export function formatYaml(value: unknown): string {
  return isEmptyOrScalar(value) ? formatScalar(value) : formatLines(value).join("\n");
}

/** The lines of a non-empty map or sequence, from column 0. */
function formatLines(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(formatItem);
  return entriesOf(value).flatMap(([key, child]) => formatPair(key, child));
}

function formatPair(key: string, child: unknown): readonly string[] {
  const name = formatText(key);
  const remote = key === "signature" ? remoteOf(child) : undefined;
  if (remote !== undefined) return [`${name}: !ostreeRemote ${formatText(remote)}`];
  if (isEmptyOrScalar(child)) return [`${name}: ${formatScalar(child)}`];
  return [`${name}:`, ...formatLines(child).map((line) => `  ${line}`)];
}

function formatItem(child: unknown): readonly string[] {
  if (isEmptyOrScalar(child)) return [`- ${formatScalar(child)}`];
  return formatLines(child).map((line, i) => `${i === 0 ? "- " : "  "}${line}`);
}

function remoteOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("ostreeRemote" in value)) return undefined;
  return typeof value.ostreeRemote === "string" ? value.ostreeRemote : undefined;
}

/** As in JSON, undefined values are left out. */
function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(value as object).filter(([, child]) => child !== undefined);
}

function isEmptyOrScalar(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : entriesOf(value).length === 0;
}

function formatScalar(value: unknown): string {
  if (typeof value === "string") return formatText(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "[]" : "{}";
  return value === undefined ? "null" : String(value);
}

function formatText(text: string): string {
  if (PLAIN.test(text) && !NOT_TEXT.test(text)) return text;
  return JSON.stringify(text).replaceAll(
    UNPRINTABLE,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
