// Formats a command as a line that can be pasted into a shell.
import type { RunOptions } from "./context.ts";

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

export function formatCommand(program: string, args: readonly string[]): string {
  return [program, ...args].map(quoteWord).join(" ");
}

/**
 * The same with its folder and its changes to the `inherited` environment: `env` applies both, so that the
 * line has the same effect anywhere.
 */
export function formatPlacedCommand(
  command: readonly [program: string, args: readonly string[]],
  { cwd, env = {} }: Pick<RunOptions, "cwd" | "env">,
  inherited: NonNullable<RunOptions["env"]>,
): string {
  const set = Object.entries(env).filter(([, value]) => value !== undefined);
  const names = Object.keys(inherited).filter((it) => inherited[it] !== undefined);
  const removed = names.filter((it) => it in env && env[it] === undefined);
  const keepsNone = names.every((it) => it in env);
  const words = [
    ...(cwd === undefined ? [] : [`--chdir=${cwd}`]),
    ...(keepsNone && removed.length > 0
      ? ["--ignore-environment"]
      : removed.map((it) => `--unset=${it}`)),
    ...set.map(([name, value]) => `${name}=${hideSecret(name, value ?? "")}`),
  ];
  const [program, args] = command;
  return words.length === 0
    ? formatCommand(program, args)
    : formatCommand("env", [...words, program, ...args]);
}

/** Words in the names of variables whose values must not be shown. */
const SECRET_NAME = /token|secret|passw|_auth\b|credential/i;

/** The value as it may be shown: without secrets, judged by `name`, and without a password in an address. */
function hideSecret(name: string, value: string): string {
  if (SECRET_NAME.test(name)) return "***";
  return value.replaceAll(/(\w+:\/\/)[^/@\s]*:[^/@\s]*@/g, "$1***@");
}

function quoteWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
