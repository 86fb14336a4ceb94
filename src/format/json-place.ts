// Finds where a text stops being JSON, which `JSON.parse` does not always say.

export interface TextPlace {
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "nothing";

const SPACE = /[ \t\n\r]*/y;
const TEXT = String.raw`[^"\\\u0000-\u001f]*`;
const STRING = String.raw`"${TEXT}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})${TEXT})*"`;
const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const TOKEN = new RegExp(String.raw`[{}[\],:]|${STRING}|${NUMBER}|true|false|null`, "y");

/** The first unexpected token, or the premature end of the text; undefined when the text is JSON. */
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

/** What may follow `token`; undefined when the token is the mistake. `open` holds the unclosed brackets. */
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
