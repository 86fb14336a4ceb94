// A reader that goes away (`bootc status | head -1`) is not our failure, and must not end our work.
import { BootcError, errnoOf, exitStatusOf } from "../errors.ts";
import { printError } from "./print-error.ts";

/**
 * Lets output end quietly when its reader is gone. Any other write error, such as a full disk, is reported
 * once and sets the exit status; the work itself goes on. Call this before printing anything.
 */
export function tolerateClosedOutput(program: string): void {
  let isReported = false;
  const listen = (stream: NodeJS.WriteStream) =>
    stream.on("error", (cause) => {
      if (errnoOf(cause) === "EPIPE" || isReported) return;
      isReported = true;
      process.exitCode = exitStatusOf(cause);
      printError(new BootcError("writing the output", { cause }), { program, isJson: false });
    });
  onFirstUse("stdout", listen);
  onFirstUse("stderr", listen);
}

/** Node makes these streams when they are asked for, which takes 3 ms each. */
function onFirstUse(name: "stdout" | "stderr", use: (stream: NodeJS.WriteStream) => unknown): void {
  const { get, ...descriptor } = Object.getOwnPropertyDescriptor(process, name) ?? {};
  if (get === undefined || descriptor.configurable !== true) {
    use(process[name]);
    return;
  }
  let stream: NodeJS.WriteStream | undefined;
  Object.defineProperty(process, name, {
    ...descriptor,
    get() {
      if (stream === undefined) {
        stream = get.call(process) as NodeJS.WriteStream;
        use(stream);
      }
      return stream;
    },
  });
}
