// The one door to other programs: starts them without a shell, shows them with --verbose, explains failures.
import { BootcError, diskFailure } from "../errors.ts";
import { printableLines } from "../printable.ts";
import type { Context, RunOptions, Terminal } from "./context.ts";
import { endingWithUs, isMissingProgram } from "./ends-with-us.ts";
import { withHiddenVariables } from "./hidden-environment.ts";
import { formatCommand, formatPlacedCommand } from "./quote.ts";
import {
  type Ended,
  lastLinesOf,
  runInBackground,
  runToTheEnd,
  type StdioOption,
  UNTRANSLATED,
} from "./spawn.ts";

export interface ContextOptions {
  readonly root?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Asked for each program that is run: known once the command line is parsed. */
  readonly isVerbose?: () => boolean;
  readonly signal?: AbortSignal;
  /** For a program that draws and colors through `say` and `note`, and knows what it prints. */
  readonly keepsControls?: boolean;
}

/** The context of a real run: this process's own streams, environment and children. */
export function createContext(options: ContextOptions = {}): Context {
  const env = options.env ?? withHiddenVariables(process.env);
  const signal = options.signal ?? new AbortController().signal;
  const isVerbose = options.isVerbose ?? (() => false);
  // Output includes names and labels from images.
  const shown = options.keepsControls === true ? (text: string) => text : printableLines;
  const trace = (sign: string, program: string, args: readonly string[], how: RunOptions) => {
    if (!isVerbose()) return;
    const command = formatPlacedCommand([program, args], how, env);
    process.stderr.write(`${sign} ${printableLines(command)}\n`);
  };
  return {
    root: options.root ?? "/",
    env,
    get isVerbose() {
      return isVerbose();
    },
    signal,
    terminal: readTerminal(env),
    say: (line) => void process.stdout.write(`${shown(line)}\n`),
    write: (text) => void process.stdout.write(shown(text)),
    note: (line) => void process.stderr.write(`${shown(line)}\n`),
    async read(program, args, runOptions = {}) {
      trace("?", program, args, runOptions);
      return await start({ program, args, signal, env }, runOptions, "pipe");
    },
    async run(program, args, runOptions = {}) {
      trace("+", program, args, runOptions);
      await start({ program, args, signal, env }, runOptions, "inherit");
    },
  };
}

/** The same context, but its programs start even after Ctrl-C: for cleaning up. */
export function cleanupContext(ctx: Context): Context {
  if (!ctx.signal.aborted) return ctx;
  const { signal, read, run } = createContext({
    root: ctx.root,
    env: ctx.env,
    isVerbose: () => ctx.isVerbose,
  });
  return { ...ctx, signal, read, run };
}

/** Read only when it matters: the first look at a standard stream creates it, which takes 3 ms. */
function readTerminal(env: ContextOptions["env"]): Terminal {
  return {
    get isStdoutTerminal() {
      return process.stdout.isTTY === true;
    },
    get isStderrTerminal() {
      return process.stderr.isTTY === true;
    },
    get hasColor() {
      return this.isStderrTerminal && !env?.NO_COLOR && env?.TERM !== "dumb";
    },
    get columns() {
      return process.stderr.columns ?? 80;
    },
  };
}

interface Started {
  readonly program: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

async function start(
  command: Started,
  options: RunOptions,
  output: "pipe" | "inherit",
): Promise<string> {
  const signal = options.signal
    ? AbortSignal.any([command.signal, options.signal])
    : command.signal;
  signal.throwIfAborted();
  const [program, ...args] = options.endsWithUs
    ? endingWithUs(command.program, command.args)
    : [command.program, ...command.args];
  const stdio = [stdinOf(options), ...outputOf(options, output), ...(options.descriptors ?? [])];
  const language = options.keepsLocale ? {} : UNTRANSLATED;
  const env = { ...command.env, ...language, ...options.env };
  const spawned = { program, args, signal, env, stdio };
  const result = options.isBackground
    ? await runInBackground(spawned)
    : await runToTheEnd(spawned, options);
  if (isSuccess(result.exitCode, options))
    return typeof result.stdout === "string" ? result.stdout : "";
  signal.throwIfAborted();
  throw commandError(command, result);
}

function stdinOf(options: RunOptions): "inherit" | "ignore" | "pipe" {
  if (options.isInteractive) return "inherit";
  return options.input === undefined ? "ignore" : "pipe";
}

function outputOf(options: RunOptions, output: "pipe" | "inherit"): readonly StdioOption[] {
  if (output === "pipe") return ["pipe", "pipe"];
  if (options.isQuiet) return ["ignore", "pipe"];
  if (options.isAnswer) return [1, [2, "pipe"]];
  // Our standard output carries only the answer, so the output of a changing program goes to our stderr.
  return [2, [2, "pipe"]];
}

function isSuccess(exitCode: number | undefined, options: RunOptions): boolean {
  return exitCode !== undefined && (options.okStatuses ?? [0]).includes(exitCode);
}

/** How a program failed, for callers who can conclude more from it than the message says. */
export interface ProgramFailure {
  readonly exitCode: number | undefined;
  /** Of the signal that ended it. */
  readonly signal: string | undefined;
  readonly stderr: string;
  /** Empty unless the program was read. */
  readonly stdout: string;
  readonly isTimeout: boolean;
}

const failures = new WeakMap<object, ProgramFailure>();

/** The program failure behind an `error` that `read` or `run` threw; undefined for any other error. */
export function failureOf(error: unknown): ProgramFailure | undefined {
  return typeof error === "object" && error !== null ? failures.get(error) : undefined;
}

function commandError(command: Started, result: Ended): BootcError {
  const error = describeFailure(command, result);
  failures.set(error, {
    exitCode: result.exitCode,
    signal: result.signal,
    stderr: String(result.stderr ?? ""),
    stdout: String(result.stdout ?? ""),
    isTimeout: result.timedOut === true,
  });
  return error;
}

/** Describes a program's failure: the command, how it ended, and the last lines of its output. */
function describeFailure(command: Started, result: Ended): BootcError {
  const isMissing = isMissingProgram(result.exitCode, String(result.stderr ?? ""));
  if (result.code === "ENOENT" || isMissing) {
    return new BootcError(`\`${command.program}\`: not found`, {
      hint: `install \`${command.program}\`, or check PATH`,
    });
  }
  const lines = lastLinesOf(String(result.stderr ?? ""));
  const said = lines.join("\n") === "" ? "" : `: ${lines.join("\n")}`;
  return new BootcError(
    `\`${formatCommand(command.program, command.args)}\` ${describeEnd(result)}${said}`,
    diskFailure(lines.at(-1) ?? "") ?? describeCrash(result.signal),
  );
}

/** Of a crash, only the kernel may know the cause: ostree aborts when it has lost the error of a disk. */
const CRASHES: ReadonlySet<string> = new Set(["SIGABRT", "SIGBUS", "SIGSEGV", "SIGILL", "SIGFPE"]);

function describeCrash(signal: string | undefined): { readonly hint?: string } {
  if (signal === undefined || !CRASHES.has(signal)) return {};
  return { hint: "the program crashed; a disk that is full or has failed may be why: see `dmesg`" };
}

function describeEnd(result: Ended): string {
  if (result.timedOut) return "did not finish in time";
  if (result.exitCode !== undefined) return `failed with status ${result.exitCode}`;
  return `ended by ${result.signal ?? result.code ?? "an unknown cause"}`;
}
