// Prints an error on standard error: one line and a hint, or one object with --json.
import { describeError, isInternalError, rootStack } from "../errors.ts";
import { printableLines } from "../printable.ts";

/** What errors of this process look like. */
export interface ErrorForm {
  /** The program's name, for the request to report a defect. */
  readonly program: string;
  /** Set when the command line is parsed; earlier errors are for people. */
  isJson: boolean;
}

export function printError(error: unknown, { program, isJson }: Readonly<ErrorForm>): void {
  const description = describeError(error, { isRoot: process.geteuid?.() === 0 });
  if (isJson) {
    process.stderr.write(`${printableLines(JSON.stringify({ error: description }))}\n`);
    return;
  }
  const hasColor = process.stderr.isTTY === true && !process.env.NO_COLOR;
  const label = hasColor ? "\u001b[31merror:\u001b[0m" : "error:";
  // Much of the text is quoted: names from images, answers of registries.
  const text = printableLines([description.message, ...description.causes].join(": "));
  process.stderr.write(`${label} ${text}\n`);
  if (description.hint) process.stderr.write(`hint: ${printableLines(description.hint)}\n`);
  if (isInternalError(error)) {
    process.stderr.write(
      `this is a defect of ${program}; please report it:\n${printableLines(rootStack(error))}\n`,
    );
  }
}
