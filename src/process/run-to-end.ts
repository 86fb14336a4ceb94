// Runs a process to its exit status; it is an error to end before the work is done.
import { BootcError, exitStatusOf } from "../errors.ts";
import { type ErrorForm, printError } from "./print-error.ts";

/**
 * Runs `main` and exits with the status it returns. Node silently exits with status 0 when all that is left
 * is a promise that nothing can settle, so the exit status starts out as that of an error.
 */
export function runToEnd(form: Readonly<ErrorForm>, main: () => Promise<number>): void {
  const unfinished = new BootcError("the program ended before its work was done", {
    kind: "unfinished",
    hint: `this is a defect of ${form.program}; please report it, with the output of --verbose`,
  });
  const unfinishedStatus = exitStatusOf(unfinished);
  const report = () => printError(unfinished, form);
  process.exitCode = unfinishedStatus;
  process.once("beforeExit", report);
  void main().then((status) => {
    process.off("beforeExit", report);
    // Output that could not be written may have set a status of its own.
    if (process.exitCode === unfinishedStatus) process.exitCode = status;
    // Nothing is left to do then. Otherwise Node would take the whole process apart first, object by object.
    process.once("beforeExit", () => process.exit());
  });
}
