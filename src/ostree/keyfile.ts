// Reads and edits GKeyFile text (origin files, prepare-root.conf, repository configs), and keeps the rest.
// Format: GLib's "Key-value file parser" and the Desktop Entry Specification it follows.

/** The lines of a key file, each with its meaning. Lines that are not edited are written back unchanged. */
export interface Keyfile {
  readonly lines: readonly KeyfileLine[];
}

export type KeyfileLine =
  | { readonly kind: "group"; readonly group: string; readonly text: string }
  | {
      readonly kind: "entry";
      readonly group: string;
      readonly key: string;
      /** The value as written, with its escapes. */
      readonly rawValue: string;
      readonly text: string;
    }
  | { readonly kind: "other"; readonly group: string; readonly text: string };

export function parseKeyfile(text: string): Keyfile {
  let group = "";
  const texts = text.endsWith("\n") ? text.slice(0, -1).split("\n") : text.split("\n");
  const lines = texts.map((it): KeyfileLine => {
    const header = /^\s*\[([^\]]+)\]\s*$/.exec(it)?.[1];
    if (header !== undefined) {
      group = header;
      return { kind: "group", group, text: it };
    }
    // For GLib, only ASCII white space counts, and only a line feed ends a line.
    const entry = /^[ \t\r]*([^#=\s][^=]*?)[ \t]*=[ \t]*(.*?)[ \t\r]*$/s.exec(it);
    if (entry === null) return { kind: "other", group, text: it };
    const [, key = "", rawValue = ""] = entry;
    return { kind: "entry", group, key, rawValue, text: it };
  });
  return { lines: text === "" ? [] : lines };
}

export function formatKeyfile(keyfile: Keyfile): string {
  return keyfile.lines.map((it) => `${it.text}\n`).join("");
}

export function hasGroup(keyfile: Keyfile, group: string): boolean {
  return keyfile.lines.some((it) => it.kind === "group" && it.group === group);
}

/** The value of a key with its escapes resolved. As in GLib, the last value of a repeated key counts. */
export function keyfileValue(keyfile: Keyfile, group: string, key: string): string | undefined {
  const line = keyfile.lines.findLast(
    (it) => it.kind === "entry" && it.group === group && it.key === key,
  );
  return line?.kind === "entry" ? unescapeValue(line.rawValue) : undefined;
}

/** A boolean as GLib reads it: `true`, `1`, `false` or `0`; undefined for anything else. */
export function keyfileFlag(keyfile: Keyfile, group: string, key: string): boolean | undefined {
  const value = keyfileValue(keyfile, group, key);
  if (value === "true" || value === "1") return true;
  return value === "false" || value === "0" ? false : undefined;
}

/** The same file with `key` set: in place, or at the end of its group, which is added when missing. */
export function withKeyfileValue(
  keyfile: Keyfile,
  group: string,
  { key, value }: { readonly key: string; readonly value: string },
): Keyfile {
  const rawValue = escapeValue(value);
  const entry: KeyfileLine = { kind: "entry", group, key, rawValue, text: `${key}=${rawValue}` };
  const isOurs = (it: KeyfileLine) => it.kind === "entry" && it.group === group && it.key === key;
  const { lines } = keyfile;
  if (lines.some(isOurs)) return { lines: lines.map((it) => (isOurs(it) ? entry : it)) };
  if (!hasGroup(keyfile, group)) {
    const gap: KeyfileLine[] = lines.length > 0 ? [{ kind: "other", group: "", text: "" }] : [];
    return { lines: [...lines, ...gap, { kind: "group", group, text: `[${group}]` }, entry] };
  }
  const last = lines.findLastIndex((it) => it.group === group && it.kind !== "other");
  return { lines: [...lines.slice(0, last + 1), entry, ...lines.slice(last + 1)] };
}

/** The same file without `key`. */
export function withoutKeyfileKey(keyfile: Keyfile, group: string, key: string): Keyfile {
  return {
    lines: keyfile.lines.filter(
      (it) => !(it.kind === "entry" && it.group === group && it.key === key),
    ),
  };
}

const UNESCAPED: Readonly<Record<string, string>> = {
  s: " ",
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
};

function unescapeValue(raw: string): string {
  return raw.replaceAll(/\\(.)/g, (match, char: string) => UNESCAPED[char] ?? match);
}

function escapeValue(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll(/^[ \t]+/g, (spaces) => spaces.replaceAll(" ", "\\s").replaceAll("\t", "\\t"));
}
