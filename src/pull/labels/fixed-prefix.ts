// How all paths begin that a regular expression of a SELinux policy matches, as far as its text shows.

/** Longer expressions, or deeper ones, might exceed a limit of PCRE. */
const LENGTH_MAX = 1000;
const DEPTH_MAX = 50;

/**
 * The tokens of plain expressions, which every version of PCRE understands in the same way. A class contains
 * characters and ranges; a group has no special meaning; a quantifier is not followed by another one.
 */
const TOKENS = new RegExp(
  [
    /([\w/,:;@%~=!&-]|\\[-.+*?()[\]{}|^$\\/,:;@%~=!&])/,
    /(\.)|(\[(?![\]:.=])[^\]\\[]+\])/,
    /(\((?![?*]))|(\))|(\|)|([*+?])(?![*+?{])/,
  ]
    .map((it) => it.source)
    .join("|"),
  "y",
);

const CLASS = /^\[\^?-?(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[\w/.,:+~@%])+-?\]$/;

/**
 * Every path that `regex`, anchored as libselinux anchors it, matches begins with the returned text. It is
 * empty when the expression has alternatives, and when it is not plain: such an expression may not compile,
 * and libselinux has to see it for each path that it might belong to.
 */
export function fixedPrefix(regex: string): string {
  if (regex.length > LENGTH_MAX) return "";
  let prefix = "";
  let isFixed = true;
  let depth = 0;
  let isRepeatable = false;
  TOKENS.lastIndex = 0;
  while (TOKENS.lastIndex < regex.length) {
    const found = TOKENS.exec(regex);
    if (found === null) return "";
    const [, literal, any, set, open, close, or, quantifier] = found;
    if (quantifier !== undefined && !isRepeatable) return "";
    if (set !== undefined && !isPlainClass(set)) return "";
    depth += open !== undefined ? 1 : close !== undefined ? -1 : 0;
    if (depth < 0 || depth > DEPTH_MAX || (or !== undefined && depth === 0)) return "";
    isRepeatable = [literal, any, set, close].some((it) => it !== undefined);
    if (literal !== undefined && isFixed && !isOptional(regex, TOKENS.lastIndex)) {
      prefix += literal.slice(-1);
    } else {
      isFixed = false;
    }
  }
  return depth === 0 ? prefix : "";
}

function isOptional(regex: string, end: number): boolean {
  return regex[end] === "*" || regex[end] === "?";
}

function isPlainClass(text: string): boolean {
  const ranges = [...text.matchAll(/(\w)-(\w)/g)];
  return CLASS.test(text) && ranges.every(([, from = "", to = ""]) => from <= to);
}
