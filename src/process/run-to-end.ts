// From the start of a process to its exit status: an end that the work did not reach is an error.
import { BootcError, exitStatusOf } from "../errors.ts";
import { type ErrorForm, printError } from "./print-error.ts";

/**
 * Runs `main`, whose answer becomes the status of this process. Node ends a process that waits for something
 * nobody can bring any more, without a word and with status 0; so the status is an error's from the start.
 */
export function runToEnd(form: Readonly<ErrorForm>, main: () => Promise<number>): void {
  const unfinished = new BootcError("the program ended before its work was done", {
    kind: "unfinished",
    hint: `this is a defect of ${form.program}; please report it, with what --verbose shows`,
  });
  const unfinishedStatus = exitStatusOf(unfinished);
  const tell = () => printError(unfinished, form);
  process.exitCode = unfinishedStatus;
  process.once("beforeExit", tell);
  void main().then((status) => {
    process.off("beforeExit", tell);
    // Output that could not be written may have set a status of its own.
    if (process.exitCode === unfinishedStatus) process.exitCode = status;
  });
}
