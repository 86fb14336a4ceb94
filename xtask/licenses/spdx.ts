// SPDX licence expressions: read, checked against the licences we have looked at, and combined.
import { BootcError } from "../../src/errors.ts";

export type Expression =
  | { readonly kind: "license"; readonly id: string }
  | { readonly kind: "AND" | "OR"; readonly of: readonly Expression[] };

/** Licences that may be inside, each read once by a person: all of them let us ship the whole. */
const ACCEPTED = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "NAIST-2003",
  "Unicode-3.0",
  "Zlib",
  "blessing",
]);

/** Reads an expression of `what`. Fails on bad syntax, and on licences nobody has looked at. */
export function parseExpression(what: string, text: string): Expression {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  const [expression, rest] = parseOr(what, tokens);
  if (rest.length > 0) throw syntaxError(what, text);
  for (const id of licensesIn(expression))
    if (!ACCEPTED.has(id))
      throw new BootcError(`${what} is under \`${id}\`, which nobody has looked at`, {
        hint: "read it; if it may be inside, add it to the accepted ones in xtask/licenses/spdx.ts",
      });
  return expression;
}

type Parsed = readonly [Expression, readonly string[]];

/** AND binds tighter than OR (SPDX 2.3, annex D). */
function parseOr(what: string, tokens: readonly string[]): Parsed {
  return parseChain(tokens, "OR", (it) => parseChain(it, "AND", (t) => parseOne(what, t)));
}

function parseChain(
  tokens: readonly string[],
  kind: "AND" | "OR",
  parsePart: (tokens: readonly string[]) => Parsed,
): Parsed {
  let [part, rest] = parsePart(tokens);
  const of = [part];
  while (rest[0] === kind) {
    [part, rest] = parsePart(rest.slice(1));
    of.push(part);
  }
  return [of.length === 1 ? part : { kind, of }, rest];
}

function parseOne(what: string, tokens: readonly string[]): Parsed {
  const [first, ...rest] = tokens;
  if (first === "(") {
    const [inner, [close, ...after]] = parseOr(what, rest);
    if (close !== ")") throw syntaxError(what, tokens.join(" "));
    return [inner, after];
  }
  if (first === undefined || !/^[A-Za-z0-9.+-]+$/.test(first) || /^(AND|OR|WITH)$/.test(first))
    throw syntaxError(what, tokens.join(" "));
  return [{ kind: "license", id: first }, rest];
}

function syntaxError(what: string, text: string): BootcError {
  return new BootcError(`the licence of ${what} is no SPDX expression: \`${text}\``);
}

function licensesIn(expression: Expression): readonly string[] {
  return expression.kind === "license" ? [expression.id] : expression.of.flatMap(licensesIn);
}

/** Alternatives inside a conjunction stand in parentheses. */
export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case "license":
      return expression.id;
    case "OR":
      return expression.of.map(formatExpression).join(" OR ");
    case "AND":
      return expression.of
        .map((it) => (it.kind === "OR" ? `(${formatExpression(it)})` : formatExpression(it)))
        .join(" AND ");
  }
}

/** All of `own` and `others` hold: ours first, every other term once and sorted. */
export function combineExpressions(own: Expression, others: readonly Expression[]): string {
  const terms = new Set(others.flatMap(termsOf).map(formatTerm));
  const first = termsOf(own).map(formatTerm);
  return [...first, ...[...terms].filter((it) => !first.includes(it)).sort()].join(" AND ");
}

function termsOf(expression: Expression): readonly Expression[] {
  return expression.kind === "AND" ? expression.of.flatMap(termsOf) : [expression];
}

function formatTerm(expression: Expression): string {
  const text = formatExpression(expression);
  return expression.kind === "OR" ? `(${text})` : text;
}
