// Programs that the kernel ends when we end, however that happens: util-linux's setpriv starts them.

/** The command that runs `program` so. It takes the process of setpriv, signals go to the program itself. */
export function endingWithUs(
  program: string,
  args: readonly string[],
): readonly [program: string, ...args: string[]] {
  return ["setpriv", "--pdeathsig", "KILL", "--", program, ...args];
}

/** Whether setpriv ended because there is no such program. */
export function isMissingProgram(exitCode: number | null | undefined, stderr: string): boolean {
  return exitCode === 127 && stderr.startsWith("setpriv: failed to execute");
}
