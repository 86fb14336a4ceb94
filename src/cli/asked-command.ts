// Finds out which command a command line asks for, before the parser sees it.
import { BootcError } from "../errors.ts";
import { type AnyCommand, Command, CommanderError } from "./commander.ts";

/** The subcommand with the name or alias `word`. */
export function findSubcommand(command: AnyCommand, word: string): AnyCommand | undefined {
  return command.commands.find((it) => [it.name(), ...it.aliases()].includes(word));
}

/** The deepest command that the first words of `argv` name. */
export function findCommand(program: AnyCommand, argv: readonly string[]): AnyCommand {
  let command = program;
  for (const word of argv) {
    const next = findSubcommand(command, word);
    if (next === undefined) break;
    command = next;
  }
  return command;
}

/**
 * Whether `argv` asks for JSON. For a command line that the parser refuses, possibly before it came to
 * `--json`. An option's value that looks like `--json` does not count.
 */
export function asksForJson(program: AnyCommand, argv: readonly string[]): boolean {
  const lenient = new Command().option("--json").exitOverride();
  lenient.configureOutput({ outputError: () => undefined });
  for (const { flags, long } of findCommand(program, argv).options) {
    if (long !== "--json") lenient.option(flags);
  }
  try {
    lenient.parseOptions([...argv]);
  } catch (error) {
    // The last option lacks its value; those before it are known.
    if (!(error instanceof CommanderError)) throw error;
  }
  return lenient.opts().json === true;
}

/**
 * What to parse in place of `argv`. `help VERB` becomes `VERB --help`, at every level. Words after an
 * unknown command are dropped: for a `--help` among them, the parser would print the help of the group
 * and succeed.
 */
export function resolveHelp(program: AnyCommand, argv: readonly string[]): readonly string[] {
  let command = program;
  for (const [i, word] of argv.entries()) {
    if (command.commands.length === 0 || word === "--") return argv;
    // No group has an option with a value.
    if (word.startsWith("-")) continue;
    const next = findSubcommand(command, word);
    if (next !== undefined) command = next;
    else if (word !== "help") return argv.slice(0, i + 1);
    else return [...argv.slice(0, i), ...formatHelpRequest(command, argv.slice(i + 1))];
  }
  return argv;
}

/**
 * Marks where the words of another program begin, for a command that passes them on: one whose arguments
 * are a program and `[args...]`. Options among them would be taken for ours, and `--help` for a question
 * about us.
 */
export function markPassedArguments(
  program: AnyCommand,
  argv: readonly string[],
): readonly string[] {
  let command = program;
  for (const [i, word] of argv.entries()) {
    if (word === "--") return argv;
    if (word.startsWith("-")) continue;
    const next = findSubcommand(command, word);
    if (next !== undefined) command = next;
    else return passesArgumentsOn(command) ? [...argv.slice(0, i), "--", ...argv.slice(i)] : argv;
  }
  return argv;
}

function passesArgumentsOn({ registeredArguments }: AnyCommand): boolean {
  const last = registeredArguments.at(-1);
  return registeredArguments.length > 1 && last?.variadic === true && last.name() === "args";
}

/** Translates `help` in `group`, followed by `words`. */
function formatHelpRequest(group: AnyCommand, words: readonly string[]): readonly string[] {
  let command = group;
  for (const [i, word] of words.entries()) {
    if (word === "-h" || word === "--help") continue;
    if (word.startsWith("-")) throw helpError(`unknown option '${word}'`, command);
    const next = findSubcommand(command, word);
    if (next !== undefined) command = next;
    else if (command.commands.length > 0) return words.slice(0, i + 1);
    else throw helpError(`'${command.name()}' has no command '${word}'`, command);
  }
  return [...words, "--help"];
}

function helpError(message: string, command: AnyCommand): BootcError {
  return new BootcError(message, {
    kind: "usage",
    hint: `see \`${fullNameOf(command)} --help\``,
  });
}

/** All words of a command: `bootc install to-disk`. */
export function fullNameOf(command: AnyCommand): string {
  return command.parent === null
    ? command.name()
    : `${fullNameOf(command.parent)} ${command.name()}`;
}
