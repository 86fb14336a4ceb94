// From argv to an exit status; nothing else decides the status.
import { BootcError, exitStatusOf } from "./errors.ts";
import { tolerateClosedOutput } from "./process/closed-output.ts";
import { type ErrorForm, printError } from "./process/print-error.ts";
import { VERSION } from "./version.ts";

/** Runs the command line `argv` (without the program's name) to its exit status. */
export async function main(argv: readonly string[], form: ErrorForm): Promise<number> {
  tolerateClosedOutput("bootc");
  // Builds and scripts ask this often, and the answer needs neither a parser nor a context.
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    process.stdout.write(`bootc ${VERSION}\n`);
    return 0;
  }
  const interrupt = new AbortController();
  // Keep listening to the end: execa's listener ends the process when no other listener is left.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      interrupt.abort(new BootcError("interrupted", { hint: "run it again to carry on" }));
    });
  }
  try {
    const { runProgram } = await import("./cli/program.ts");
    return await runProgram(argv, { form, signal: interrupt.signal });
  } catch (error) {
    printError(error, form);
    return exitStatusOf(error);
  }
}
