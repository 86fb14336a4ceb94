// Reads hand-written TOML: errors say what is wrong, and where.
import { parse, TomlError } from "smol-toml";
import { BootcError, messageOf } from "../errors.ts";

/** Parses the text of the file `what`; the error for a mistake gives its line and column. */
export function parseToml(what: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (cause) {
    throw new BootcError(`${what} is not valid TOML: ${describe(cause)}`);
  }
}

function describe(mistake: unknown): string {
  const text = messageOf(mistake);
  const [first = ""] = text.split("\n", 1);
  const reason = first.replace(/^Invalid TOML document: /, "");
  if (!(mistake instanceof TomlError)) return reason;
  return `line ${mistake.line}, column ${mistake.column}: ${reason}`;
}
