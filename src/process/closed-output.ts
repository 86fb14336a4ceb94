// A reader that goes away (`bootc status | head -1`) is no failure of ours, and must not end our work.
import { BootcError, errnoOf, exitStatusOf } from "../errors.ts";
import { printError } from "./print-error.ts";

/**
 * Lets output end quietly when its reader is gone. Anything else that stops the answer, a full disk say,
 * is told once and sets the status; the work itself goes on. To be called before anything is printed.
 */
export function tolerateClosedOutput(program: string): void {
  let isTold = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause) => {
      if (errnoOf(cause) === "EPIPE" || isTold) return;
      isTold = true;
      process.exitCode = exitStatusOf(cause);
      printError(new BootcError("writing the output", { cause }), { program, isJson: false });
    });
  }
}
