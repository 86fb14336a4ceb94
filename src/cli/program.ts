// The whole command line: names, options and help. Each action loads its verb's file when it runs.
import type { Context } from "../system/context.ts";
import { createContext } from "../system/run.ts";
import { VERSION } from "../version.ts";
import { asksForJson, markPassedArguments, resolveHelp } from "./asked-command.ts";
import { type AnyCommand, Command, CommanderError, Option } from "./commander.ts";
import { usageError } from "./usage-error.ts";
import { declareCompletion } from "./verbs/completion.ts";
import { declareContainerCommands } from "./verbs/container.ts";
import { declareHostCommands } from "./verbs/host.ts";
import { declareHostExtras } from "./verbs/host-extra.ts";
import { declareImageCommands } from "./verbs/image.ts";
import { declareInstallCommands } from "./verbs/install.ts";
import { declareInternalCommands } from "./verbs/internals.ts";
import { declareLoaderEntries } from "./verbs/loader-entries.ts";
import { declareReinstall } from "./verbs/reinstall.ts";
import { declareUpdatesCommands } from "./verbs/updates.ts";

/** The last two come after all visible commands, which they print. */
const GROUPS = [
  declareHostCommands,
  declareHostExtras,
  declareInstallCommands,
  declareContainerCommands,
  declareLoaderEntries,
  declareImageCommands,
  declareUpdatesCommands,
  declareReinstall,
  declareCompletion,
  declareInternalCommands,
] as const;

/** `status` has its own `--verbose`, which shows more rows and does not trace commands. */
const TRACE = new Option("--verbose", "show every external command, as a line that can be pasted");

export interface Run {
  readonly signal: AbortSignal;
  /** What errors look like. Set as soon as the command line is understood. */
  readonly form: { isJson: boolean };
}

/** Parses `argv` (without the program's name), runs the verb, and returns the exit status. */
export async function runProgram(argv: readonly string[], { signal, form }: Run): Promise<number> {
  let isVerbose = false;
  const ctx = createContext({ signal, isVerbose: () => isVerbose });
  const isSilent = () => asksForJson(program, argv);
  const program = createProgram(ctx, { asked: argv, isSilent });
  program.hook("preAction", (_, command: AnyCommand) => {
    const { json, verbose } = command.opts();
    form.isJson = json === true;
    isVerbose = verbose === true && command.options.includes(TRACE);
  });
  let args = argv;
  try {
    args = markPassedArguments(program, resolveHelp(program, argv));
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    form.isJson ||= asksForJson(program, argv);
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse with status 0.
    if (error.exitCode === 0) return 0;
    const isHelp = error.code === "commander.help";
    if (isHelp && !form.isJson) return 2; // printed because the command is missing
    throw usageError(isHelp ? "error: a command is missing" : error.message, program, args);
  }
}

/** An internal command that does not print the others. */
function isAlone([group, command]: readonly string[]): boolean {
  return group === "internals" && command !== "dump-cli-json";
}

/** Adds `--verbose`, which traces commands, wherever `--verbose` has no other meaning. */
function offerVerbose(command: AnyCommand): void {
  for (const it of command.commands) offerVerbose(it);
  if (command.commands.length > 0 || command.options.some((it) => it.long === "--verbose")) return;
  command.addOption(TRACE);
}

/** Lists `help` in groups. `resolveHelp` replaces it before the parser sees it. */
function offerHelp(command: AnyCommand): void {
  if (command.commands.length === 0) return;
  command.helpCommand("help [command...]", "print help, of a command if one is given");
  for (const it of command.commands) offerHelp(it);
}

export interface ProgramOptions {
  /** The words of the command line. */
  readonly asked?: readonly string[] | undefined;
  /** Print no help when a command is missing. */
  readonly isSilent?: () => boolean;
}

/**
 * The command tree, which man pages and completions are generated from. Groups that nobody sees are left out:
 * those after the one that declares the command `asked`, and for internal commands those before it. Declaring
 * everything takes a third of a verb's start-up time, not counting the runtime's.
 */
export function createProgram(
  ctx: Context,
  { asked = [], isSilent = () => false }: ProgramOptions = {},
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
  for (const declare of isAlone(asked) ? [declareInternalCommands] : GROUPS) {
    if (program.commands.some((it) => it.name() === asked[0])) break;
    declare(program, ctx);
  }
  offerHelp(program);
  offerVerbose(program);
  return program;
}
