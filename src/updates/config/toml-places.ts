// Finds where each key and value of a TOML text stands, which the parser does not say.

export interface TomlPlace {
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

export type TomlPath = readonly (string | number)[];

export interface PlacedValue {
  readonly path: TomlPath;
  readonly key: TomlPlace;
  readonly value: TomlPlace;
}

interface Scan {
  readonly text: string;
  at: number;
  readonly found: { readonly path: TomlPath; readonly key: number; readonly value: number }[];
}

/** The values, headers and elements of a text that is known to be valid TOML, in the order of the text. */
export function placesInToml(text: string): readonly PlacedValue[] {
  const scan: Scan = { text, at: 0, found: [] };
  const sizes = new Map<string, number>();
  let prefix: TomlPath = [];
  for (skipBlank(scan); scan.at < text.length; skipBlank(scan)) {
    if (text[scan.at] === "[") prefix = scanHeader(scan, sizes);
    else scanPair(scan, prefix);
  }
  const lines = lineStarts(text);
  return scan.found.map(({ path, key, value }) => ({
    path,
    key: placeOf(lines, key),
    value: placeOf(lines, value),
  }));
}

/** Where the value at `path` stands; where its nearest parent stands if the text does not have it. */
export function findPlace(
  places: readonly PlacedValue[],
  path: TomlPath,
  what: "key" | "value",
): TomlPlace {
  const wanted = JSON.stringify(path);
  const found = places.find((it) => JSON.stringify(it.path) === wanted);
  if (found !== undefined) return found[what];
  return path.length === 0 ? { line: 1, column: 1 } : findPlace(places, path.slice(0, -1), what);
}

/** A header, `[a.b]` or `[[a.b]]`; returns the path of what follows. */
function scanHeader(scan: Scan, sizes: Map<string, number>): TomlPath {
  const start = scan.at;
  const isArray = scan.text.startsWith("[[", start);
  scan.at += isArray ? 2 : 1;
  const words = scanKey(scan);
  scan.at += isArray ? 2 : 1;
  // Each table of an array counts, and a header below it means the last one.
  let path: TomlPath = [];
  for (const [i, word] of words.entries()) {
    path = [...path, word];
    const name = JSON.stringify(path);
    const size = sizes.get(name);
    if (isArray && i === words.length - 1) {
      sizes.set(name, (size ?? 0) + 1);
      if (size === undefined) scan.found.push({ path, key: start, value: start });
      path = [...path, size ?? 0];
    } else if (size !== undefined) path = [...path, size - 1];
  }
  scan.found.push({ path, key: start, value: start });
  return path;
}

function scanPair(scan: Scan, prefix: TomlPath): void {
  skipBlank(scan);
  const key = scan.at;
  const path = [...prefix, ...scanKey(scan)];
  scan.at += 1; // the equals sign
  skipBlank(scan);
  scan.found.push({ path, key, value: scan.at });
  scanValue(scan, path);
}

function scanKey(scan: Scan): readonly string[] {
  const words: string[] = [];
  do {
    if (scan.text[scan.at] === ".") scan.at += 1;
    skipBlank(scan);
    const start = scan.at;
    const quote = scan.text[start];
    if (quote === '"' || quote === "'") {
      skipString(scan);
      const raw = scan.text.slice(start, scan.at);
      words.push(quote === '"' ? unescapeKey(raw) : raw.slice(1, -1));
    } else {
      scan.at += matchLength(scan, /[A-Za-z0-9_-]*/y);
      words.push(scan.text.slice(start, scan.at));
    }
    skipBlank(scan);
  } while (scan.text[scan.at] === ".");
  return words;
}

function unescapeKey(raw: string): string {
  const short: Readonly<Record<string, string>> = {
    ...{ b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\x1b" },
  };
  return raw
    .slice(1, -1)
    .replace(/\\(x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|U[\dA-Fa-f]{8}|.)/gs, (_, code: string) =>
      code.length === 1
        ? (short[code] ?? code)
        : String.fromCodePoint(Number.parseInt(code.slice(1), 16)),
    );
}

function scanValue(scan: Scan, path: TomlPath): void {
  const first = scan.text[scan.at];
  if (first === '"' || first === "'") skipString(scan);
  else if (first === "[") scanList(scan, "]", (index) => scanElement(scan, [...path, index]));
  else if (first === "{") scanList(scan, "}", () => scanPair(scan, path));
  else scan.at += matchLength(scan, /[^,\]}#\n]*/y);
}

function scanElement(scan: Scan, path: TomlPath): void {
  scan.found.push({ path, key: scan.at, value: scan.at });
  scanValue(scan, path);
}

function scanList(scan: Scan, end: string, scanItem: (index: number) => void): void {
  scan.at += 1;
  let index = 0;
  for (skipBlank(scan); scan.at < scan.text.length; skipBlank(scan)) {
    const next = scan.text[scan.at];
    if (next === end) break;
    if (next === ",") {
      scan.at += 1;
      continue;
    }
    scanItem(index);
    index += 1;
  }
  scan.at += 1;
}

const STRINGS = [
  // Up to two more quotes may stand before the three that end the string.
  /"""(?:\\[\s\S]|(?!"""(?!"))[^\\])*"""/y,
  /'''(?:(?!'''(?!'))[\s\S])*'''/y,
  /"(?:\\.|[^"\\\n])*"/y,
  /'[^'\n]*'/y,
] as const;

function skipString(scan: Scan): void {
  const length = STRINGS.map((it) => matchLength(scan, it)).find((it) => it > 0);
  scan.at += length ?? 1;
}

/** Skips white space, line ends and comments. */
function skipBlank(scan: Scan): void {
  scan.at += matchLength(scan, /(?:[ \t\r\n]|#[^\n]*)*/y);
}

function matchLength(scan: Scan, pattern: RegExp): number {
  pattern.lastIndex = scan.at;
  return pattern.exec(scan.text)?.[0].length ?? 0;
}

function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(/\n/g)].map((it) => it.index + 1)];
}

function placeOf(starts: readonly number[], at: number): TomlPlace {
  const line = starts.findLastIndex((start) => start <= at);
  return { line: line + 1, column: at - (starts[line] ?? 0) + 1 };
}
