// tmpfiles.d(5): which paths its lines name, and which of them they make.

export interface TmpfilesLine {
  /** Only the letter, without what follows it. */
  readonly type: string;
  readonly path: string;
}

/** Lines that are not valid are left out: systemd leaves them out as well. */
export function parseTmpfiles(text: string): readonly TmpfilesLine[] {
  return text.split("\n").flatMap((line) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const [type = "", path = ""] = splitWords(line);
    return /^[a-zA-Z]/.test(type) && path.startsWith("/") ? [{ type: type.slice(0, 1), path }] : [];
  });
}

/** Whether a line of this type makes files that were not there. */
export function makesFiles(type: string): boolean {
  return /^[fFC]$/.test(type);
}

/** The words of a line, with quotes and C's escapes as systemd reads them. */
function splitWords(line: string): readonly string[] {
  const words = line.match(/(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+/g) ?? [];
  return words.map((word) =>
    word.replaceAll(
      /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|((?:\\x[\da-f]{2}|\\[0-7]{3})+|\\.)/gi,
      unquote,
    ),
  );
}

function unquote(_: string, inDouble?: string, inSingle?: string, bare?: string): string {
  return unescapeText(inDouble ?? inSingle ?? bare ?? "");
}

const CONTROLS: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
};

/** Several bytes in a row are one character of UTF-8. */
function unescapeText(text: string): string {
  const bytes = text.replaceAll(/(?:\\x[\da-f]{2}|\\[0-7]{3})+/gi, (run) => {
    const codes = run.match(/\\x[\da-f]{2}|\\[0-7]{3}/gi) ?? [];
    return Buffer.from(
      codes.map((it) =>
        it[1]?.toLowerCase() === "x"
          ? Number.parseInt(it.slice(2), 16)
          : Number.parseInt(it.slice(1), 8),
      ),
    ).toString("utf8");
  });
  return bytes.replaceAll(/\\(.)/g, (_, letter: string) => CONTROLS[letter] ?? letter);
}
