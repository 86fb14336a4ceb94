// TOML that somebody wrote by hand: what is wrong with it, and where.
import { parse, TomlError } from "smol-toml";
import { BootcError } from "../errors.ts";

/** Parses the text of the file `what`; a mistake is named with its line and column. */
export function parseToml(what: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (cause) {
    throw new BootcError(`${what} is no TOML: ${describe(cause)}`);
  }
}

function describe(mistake: unknown): string {
  const text = mistake instanceof Error ? mistake.message : String(mistake);
  const [first = ""] = text.split("\n", 1);
  const reason = first.replace(/^Invalid TOML document: /, "");
  if (!(mistake instanceof TomlError)) return reason;
  return `line ${mistake.line}, column ${mistake.column}: ${reason}`;
}
