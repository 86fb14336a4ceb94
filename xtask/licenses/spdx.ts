// Parses SPDX licence expressions, checks them against the licences we have examined, and combines them.
// An offline build has no parser and does without this file.
import parse, { type Info as Expression } from "spdx-expression-parse";
import { BootcError } from "../../src/errors.ts";
import type { VendorManifest } from "../vendor/manifest.ts";
import { packagesInside } from "./inside.ts";
import { PARTS_INSIDE, PARTS_UNLISTED, RUNTIME_LICENSE } from "./runtime.ts";

/** The licences that may be inside. A person has read each of them; all allow us to ship the whole. */
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

/** One SPDX expression for everything inside. Fails and names every package without a licence or text. */
export function formatLicense(own: string, manifest: VendorManifest): string {
  const packages = packagesInside(manifest);
  const problems = packages.flatMap(({ name, version, license, licenseFiles }) => [
    ...(license === "" ? [`\`${name}@${version}\` has no licence`] : []),
    ...(licenseFiles.length === 0 ? [`\`${name}@${version}\` has no licence text`] : []),
  ]);
  if (problems.length > 0) {
    throw new BootcError(problems.join(", "), {
      hint: "ask the author, or use another package",
    });
  }
  const parts = [...PARTS_INSIDE, ...PARTS_UNLISTED];
  return combineExpressions(parseExpression("bootc", own), [
    ...packages.map((it) => parseExpression(`\`${it.name}\``, it.license)),
    parseExpression("Node", RUNTIME_LICENSE),
    ...parts.map((it) => parseExpression(`Node's \`${it.name}\``, it.license)),
  ]);
}

/** Parses the expression of `what`. Fails on wrong syntax, and on licences that nobody has examined. */
export function parseExpression(what: string, text: string): Expression {
  let expression: Expression;
  try {
    expression = parse(text);
  } catch (cause) {
    throw new BootcError(`the licence of ${what} is not an SPDX expression: \`${text}\``, {
      cause: new BootcError(String(cause)),
    });
  }
  for (const id of licensesIn(expression))
    if (!ACCEPTED.has(id))
      throw new BootcError(`${what} is under \`${id}\`, which nobody has examined`, {
        hint: "read the licence; if it is acceptable, add it to ACCEPTED in xtask/licenses/spdx.ts",
      });
  return expression;
}

function licensesIn(expression: Expression): readonly string[] {
  if ("license" in expression) return [formatExpression(expression)];
  return [expression.left, expression.right].flatMap(licensesIn);
}

/** Puts parentheses around alternatives inside a conjunction. */
export function formatExpression(expression: Expression): string {
  if ("license" in expression) {
    const { license, plus, exception } = expression;
    return `${license}${plus ? "+" : ""}${exception === undefined ? "" : ` WITH ${exception}`}`;
  }
  const { conjunction, left, right } = expression;
  const format = conjunction === "and" ? formatTerm : formatExpression;
  return [left, right].map(format).join(` ${conjunction.toUpperCase()} `);
}

/** The conjunction of `own` and `others`: our terms first, then every other term once, sorted. */
export function combineExpressions(own: Expression, others: readonly Expression[]): string {
  const terms = new Set(others.flatMap(termsOf).map(formatTerm));
  const first = termsOf(own).map(formatTerm);
  return [...first, ...[...terms].filter((it) => !first.includes(it)).sort()].join(" AND ");
}

function termsOf(expression: Expression): readonly Expression[] {
  if (!("conjunction" in expression) || expression.conjunction === "or") return [expression];
  return [expression.left, expression.right].flatMap(termsOf);
}

function formatTerm(expression: Expression): string {
  const text = formatExpression(expression);
  return "conjunction" in expression && expression.conjunction === "or" ? `(${text})` : text;
}
