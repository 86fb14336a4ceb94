// Names, options and help of every command. No behaviour: each action loads the file of its verb.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { createContext } from "../system/run.ts";
import { VERSION } from "../version.ts";
import { asksForJson, findCommand, fullNameOf, resolveHelp } from "./asked-command.ts";
import { type AnyCommand, Command, CommanderError, Option } from "./commander.ts";
import { declareCompletion } from "./completion.ts";
import { declareHostCommands } from "./host.ts";
import { declareInstallCommands } from "./install.ts";
import { declareInternalCommands } from "./internals.ts";

/** Completion comes last, because it needs all other declarations. */
const GROUPS = [
  declareHostCommands,
  declareInstallCommands,
  declareInternalCommands,
  declareCompletion,
] as const;

/** `status` has a `--verbose` of its own: more rows, and no trace of commands. */
const TRACE = new Option("--verbose", "show every outside command, as a line that can be pasted");

export interface Run {
  readonly signal: AbortSignal;
  /** What errors look like; set as soon as the command line says it. */
  readonly form: { isJson: boolean };
}

/** Parses `argv` (without the program's name), runs the verb it names, and gives the exit status. */
export async function runProgram(argv: readonly string[], { signal, form }: Run): Promise<number> {
  let isVerbose = false;
  const ctx = createContext({ signal, isVerbose: () => isVerbose });
  const isSilent = () => asksForJson(program, argv);
  const program = createProgram(ctx, { asked: argv[0], isSilent });
  program.hook("preAction", (_, command: AnyCommand) => {
    const { json, verbose } = command.opts();
    form.isJson = json === true;
    isVerbose = verbose === true && command.options.includes(TRACE);
  });
  try {
    await program.parseAsync([...resolveHelp(program, argv)], { from: "user" });
    return 0;
  } catch (error) {
    form.isJson ||= asksForJson(program, argv);
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse with status 0.
    if (error.exitCode === 0) return 0;
    const isHelp = error.code === "commander.help";
    if (isHelp && !form.isJson) return 2; // printed in place of a command that was left out
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
  const help = `see \`${fullNameOf(findCommand(program, argv))} --help\``;
  return new BootcError(message, {
    kind: "usage",
    hint: meant === undefined ? help : `did you mean \`${meant}\`? ${help}`,
  });
}

/** Commands without a meaning of their own for `--verbose` show what they run. */
function offerVerbose(command: AnyCommand): void {
  for (const it of command.commands) offerVerbose(it);
  if (command.commands.length > 0 || command.options.some((it) => it.long === "--verbose")) return;
  command.addOption(TRACE);
}

/** Groups list `help`; what it means is decided before the parser sees it. */
function offerHelp(command: AnyCommand): void {
  if (command.commands.length === 0) return;
  command.helpCommand("help [command...]", "print help, of a command if one is given");
  for (const it of command.commands) offerHelp(it);
}

export interface ProgramOptions {
  readonly asked?: string | undefined;
  /** Print no help when a command is missing. */
  readonly isSilent?: () => boolean;
}

/**
 * The whole command tree. What parses is also what man pages and completions are made of.
 * Once the command `asked` is declared, the groups after its own are left out: nobody sees them, and
 * declaring all costs a third of what a verb's start takes beyond the runtime's.
 */
export function createProgram(
  ctx: Context,
  { asked, isSilent = () => false }: ProgramOptions = {},
): Command {
  const program = new Command("bootc")
    .description("Update this system transactionally from a container image")
    .version(`bootc ${VERSION}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .configureOutput({
      outputError: () => undefined,
      writeErr: (text) => {
        if (!isSilent()) process.stderr.write(text);
      },
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
