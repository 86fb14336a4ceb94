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
  const program = createProgram(ctx, argv[0]);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse with status 0; anything else has been explained on stderr.
    return error.exitCode === 0 ? 0 : 2;
  }
}

/**
 * The whole command tree. What parses is also what man pages and completions are made of.
 * Once the command `asked` is declared, the groups after its own are left out: nobody sees them, and
 * declaring all costs a third of what a verb's start takes beyond the runtime's.
 */
export function createProgram(ctx: Context, asked?: string): Command {
  const program = new Command("bootc")
    .description("Update this system transactionally from a container image")
    .version(`bootc ${VERSION}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .showHelpAfterError("hint: see `bootc --help`")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "error: ")) })
    .exitOverride();
  for (const declare of GROUPS) {
    if (program.commands.some((it) => it.name() === asked)) break;
    declare(program, ctx);
  }
  return program;
}

/** Parses an option's value as a whole number of at least `min`; anything else is a usage error. */
export function parseWholeNumber(what: string, min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
    throw new BootcError(`${what} must be a whole number of at least ${min}, not \`${text}\``, {
      kind: "usage",
    });
  };
}
