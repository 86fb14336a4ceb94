// Where a text stops being JSON: the parser of the language does not always say it.

export interface TextPlace {
  /** From 1 on. */
  readonly line: number;
  readonly column: number;
}

type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "nothing";

const SPACE = /[ \t\n\r]*/y;
const TEXT = String.raw`[^"\\\u0000-\u001f]*`;
const STRING = String.raw`"${TEXT}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})${TEXT})*"`;
const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const TOKEN = new RegExp(String.raw`[{}[\],:]|${STRING}|${NUMBER}|true|false|null`, "y");

/** The first token that has no place where it is, or the end that comes too early; undefined for JSON. */
export function placeOfMistake(text: string): TextPlace | undefined {
  const open: string[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; ) {
    at += matchAt(SPACE, text, at).length;
    if (expected === "nothing" && at === text.length) return undefined;
    const token = matchAt(TOKEN, text, at);
    const next = afterToken(expected, token, open);
    if (next === undefined) return placeAt(text, at);
    at += token.length;
    expected = next;
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/** What comes next; `open` are the brackets that are not closed yet. Undefined: the token is the mistake. */
function afterToken(expected: Expected, token: string, open: string[]): Expected | undefined {
  switch (expected) {
    case "value":
    case "value or ]":
      if (token === "]" && expected === "value or ]") return close(open);
      return afterValue(token, open);
    case "key":
    case "key or }":
      if (token === "}" && expected === "key or }") return close(open);
      return token.startsWith('"') ? "colon" : undefined;
    case "colon":
      return token === ":" ? "value" : undefined;
    case "comma or end": {
      const isObject = open.at(-1) === "{";
      if (token === ",") return isObject ? "key" : "value";
      return token === (isObject ? "}" : "]") ? close(open) : undefined;
    }
    case "nothing":
      return undefined;
  }
}

function afterValue(token: string, open: string[]): Expected | undefined {
  if (token === "{" || token === "[") {
    open.push(token);
    return token === "{" ? "key or }" : "value or ]";
  }
  const isScalar = token !== "" && !"}],:".includes(token);
  return isScalar ? afterWhole(open) : undefined;
}

function close(open: string[]): Expected {
  open.pop();
  return afterWhole(open);
}

function afterWhole(open: readonly string[]): Expected {
  return open.length === 0 ? "nothing" : "comma or end";
}

function placeAt(text: string, at: number): TextPlace {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
