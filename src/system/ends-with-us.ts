// Programs that the kernel ends when we end, whatever the cause: util-linux's setpriv starts them.

/** The command that runs `program` that way. It replaces setpriv, so signals reach the program itself. */
export function endingWithUs(
  program: string,
  args: readonly string[],
): readonly [program: string, ...args: string[]] {
  return ["setpriv", "--pdeathsig", "KILL", "--", program, ...args];
}

/** Whether setpriv failed because the program does not exist. */
export function isMissingProgram(exitCode: number | null | undefined, stderr: string): boolean {
  return exitCode === 127 && stderr.startsWith("setpriv: failed to execute");
}
