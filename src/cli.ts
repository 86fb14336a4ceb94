// Names, options and help of every command. No behaviour: each action loads the file of its verb.
import { Command, CommanderError } from "commander";
import { declareHostCommands } from "./cli/host.ts";
import { declareInstallCommands } from "./cli/install.ts";
import { declareInternalCommands } from "./cli/internals.ts";
import { BootcError } from "./errors.ts";
import type { Context } from "./system/context.ts";
import { createContext } from "./system/run.ts";
import { VERSION } from "./version.ts";

/** The last group holds what needs to see all others: completion. */
const GROUPS = [declareHostCommands, declareInstallCommands, declareInternalCommands] as const;

/** Parses `argv` (without the program's name), runs the verb it names, and gives the exit status. */
export async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const ctx = createContext({ signal, isVerbose: argv.includes("--verbose") });
  const isJson = argv.includes("--json");
  const program = createProgram(ctx, { asked: argv[0], isSilent: isJson });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse with status 0.
    if (error.exitCode === 0) return 0;
    if (!isJson) return 2; // explained on stderr
    throw new BootcError(error.message.replace(/^error: /, ""), { kind: "usage" });
  }
}

export interface ProgramOptions {
  readonly asked?: string | undefined;
  /** Words that cannot be parsed are thrown, and not explained on stderr. */
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
    .helpCommand(false)
    .showHelpAfterError("hint: see `bootc --help`")
    .configureOutput(isSilent ? { writeErr: () => undefined } : {})
    .exitOverride();
  for (const declare of GROUPS) {
    if (program.commands.some((it) => it.name() === asked)) break;
    declare(program, ctx);
  }
  return program;
}
