// A reader that goes away (`bootc status | head -1`) is not our failure, and must not end our work.
import { BootcError, errnoOf, exitStatusOf } from "../errors.ts";
import { printError } from "./print-error.ts";

/**
 * Lets output end quietly when its reader is gone. Any other write error, such as a full disk, is reported
 * once and sets the exit status; the work itself goes on. Call this before printing anything.
 */
export function tolerateClosedOutput(program: string): void {
  let isReported = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause) => {
      if (errnoOf(cause) === "EPIPE" || isReported) return;
      isReported = true;
      process.exitCode = exitStatusOf(cause);
      printError(new BootcError("writing the output", { cause }), { program, isJson: false });
    });
  }
}
