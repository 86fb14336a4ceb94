// Names, options and help of every command. No behaviour: each action loads the file of its verb.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { createContext } from "../system/run.ts";
import { VERSION } from "../version.ts";
import { findSubcommand, nameOf, wordsToParse } from "./asked-command.ts";
import { type AnyCommand, Command, CommanderError } from "./commander.ts";
import { declareHostCommands } from "./host.ts";
import { declareInstallCommands } from "./install.ts";
import { declareInternalCommands } from "./internals.ts";

/** The last group holds what needs to see all others: completion. */
const GROUPS = [declareHostCommands, declareInstallCommands, declareInternalCommands] as const;

/** Parses `argv` (without the program's name), runs the verb it names, and gives the exit status. */
export async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<number> {
  // Of `status` it asks for more rows, as it does elsewhere, and for these alone.
  const isVerbose = argv.includes("--verbose") && argv[0] !== "status";
  const ctx = createContext({ signal, isVerbose });
  const isJson = argv.includes("--json");
  const program = createProgram(ctx, { asked: argv[0], isSilent: isJson });
  try {
    await program.parseAsync([...wordsToParse(program, argv)], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse with status 0.
    if (error.exitCode === 0) return 0;
    const isHelp = error.code === "commander.help";
    if (isHelp && !isJson) return 2; // printed in place of a command that was left out
    throw usageError(isHelp ? "error: a command is missing" : error.message, program, argv);
  }
}

/** What the parser complains about, in the form of our own errors. */
export function usageError(text: string, program: AnyCommand, argv: readonly string[]): BootcError {
  const [first = "", suggestion = ""] = text.split("\n");
  const message = first
    .replace(/^error: /, "")
    .replace(/\.$/, "")
    .replace(/\. (Allowed|Expected) /, (_, word: string) => `: ${word.toLowerCase()} `)
    .replace(". ", ": ");
  const meant = /^\(Did you mean (.+)\?\)$/.exec(suggestion)?.[1];
  const help = `see \`${nameAsked(program, argv)} --help\``;
  return new BootcError(message, {
    kind: "usage",
    hint: meant === undefined ? help : `did you mean \`${meant}\`? ${help}`,
  });
}

/** The words of the command that was asked for, as far as there is such a command. */
function nameAsked(program: AnyCommand, argv: readonly string[]): string {
  let command: AnyCommand = program;
  for (const word of argv) {
    const next = findSubcommand(command, word);
    if (next === undefined) break;
    command = next;
  }
  return nameOf(command);
}

/** Commands without a meaning of their own for `--verbose` show what they run. */
function offerVerbose(command: AnyCommand): void {
  for (const it of command.commands) offerVerbose(it);
  if (command.commands.length > 0 || command.options.some((it) => it.long === "--verbose")) return;
  command.option("--verbose", "show every outside command, as a line that can be pasted");
}

/** Groups list `help`; what it means is decided before the parser sees it. */
function offerHelp(command: AnyCommand): void {
  if (command.commands.length === 0) return;
  command.helpCommand("help [command...]", "print help, of a command if one is given");
  for (const it of command.commands) offerHelp(it);
}

export interface ProgramOptions {
  readonly asked?: string | undefined;
  /** No help in place of a command that was left out. */
  readonly isSilent?: boolean;
}

/**
 * The whole command tree. What parses is also what man pages and completions are made of.
 * Once the command `asked` is declared, the groups after its own are left out: nobody sees them, and
 * declaring all costs a third of what a verb's start takes beyond the runtime's.
 */
export function createProgram(
  ctx: Context,
  { asked, isSilent = false }: ProgramOptions = {},
): Command {
  const program = new Command("bootc")
    .description("Update this system transactionally from a container image")
    .version(`bootc ${VERSION}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .configureOutput({
      outputError: () => undefined,
      ...(isSilent && { writeErr: () => undefined }),
    })
    .exitOverride();
  for (const declare of GROUPS) {
    if (program.commands.some((it) => it.name() === asked)) break;
    declare(program, ctx);
  }
  offerHelp(program);
  offerVerbose(program);
  return program;
}
