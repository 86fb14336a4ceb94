// The one door to other programs: started without a shell, shown with --verbose, explained on failure.
import { BootcError } from "../errors.ts";
import type { Context, RunOptions, Terminal } from "./context.ts";
import { formatCommand } from "./quote.ts";

export interface ContextOptions {
  readonly root?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly isVerbose?: boolean;
  readonly signal?: AbortSignal;
}

/** How many lines of a failed program's standard error its error message repeats. */
const STDERR_LINES = 20;

/** The context of a real run: this process's own streams, environment and children. */
export function createContext(options: ContextOptions = {}): Context {
  const env = options.env ?? process.env;
  const signal = options.signal ?? new AbortController().signal;
  const isVerbose = options.isVerbose ?? false;
  const trace = (sign: string, program: string, args: readonly string[]) => {
    if (isVerbose) process.stderr.write(`${sign} ${formatCommand(program, args)}\n`);
  };
  return {
    root: options.root ?? "/",
    env,
    isVerbose,
    signal,
    terminal: readTerminal(env),
    say: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    async read(program, args, runOptions = {}) {
      trace("?", program, args);
      // Somebody is going to parse this: no translated text.
      return await start(
        { program, args, signal, env: { ...env, LC_ALL: "C.UTF-8" } },
        runOptions,
        "pipe",
      );
    },
    async run(program, args, runOptions = {}) {
      trace("+", program, args);
      await start({ program, args, signal, env }, runOptions, "inherit");
    },
  };
}

function readTerminal(env: ContextOptions["env"]): Terminal {
  const isStderrTerminal = process.stderr.isTTY === true;
  return {
    isStdoutTerminal: process.stdout.isTTY === true,
    isStderrTerminal,
    hasColor: isStderrTerminal && !env?.NO_COLOR && env?.TERM !== "dumb",
    columns: process.stderr.columns ?? 80,
  };
}

interface Started {
  readonly program: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

async function start(
  it: Started,
  options: RunOptions,
  output: "pipe" | "inherit",
): Promise<string> {
  // execa costs a tenth of the start-up of a verb; those that start nothing do not load it.
  const { execa } = await import("execa");
  it.signal.throwIfAborted();
  const result = await execa(it.program, it.args, {
    ...stdinOf(options),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    env: { ...it.env, ...options.env },
    extendEnv: false,
    // Our standard output carries the answer alone, so what a changing program prints joins our stderr.
    stdout: output === "pipe" ? "pipe" : 2,
    stderr: output === "pipe" ? "pipe" : [2, "pipe"],
    stripFinalNewline: false,
    maxBuffer: 1 << 28,
    cancelSignal: it.signal,
    forceKillAfterDelay: 5000,
    reject: false,
  });
  if (isSuccess(result.exitCode, options))
    return typeof result.stdout === "string" ? result.stdout : "";
  it.signal.throwIfAborted();
  throw commandError(it, result);
}

function stdinOf(options: RunOptions): object {
  if (options.isInteractive) return { stdin: "inherit" };
  if (options.input === undefined) return { stdin: "ignore" };
  return { input: options.input };
}

function isSuccess(exitCode: number | undefined, options: RunOptions): boolean {
  return exitCode !== undefined && (options.okStatuses ?? [0]).includes(exitCode);
}

interface Failed {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly timedOut?: boolean;
  readonly code?: string | undefined;
  readonly stderr?: unknown;
}

/** A program's failure: what was run, how it ended, and the last lines of what it said. */
function commandError(it: Started, result: Failed): BootcError {
  if (result.code === "ENOENT") {
    return new BootcError(`\`${it.program}\`: not found`, {
      hint: `install \`${it.program}\`, or check PATH`,
    });
  }
  const lines = String(result.stderr ?? "")
    .trimEnd()
    .split("\n")
    .slice(-STDERR_LINES);
  const said = lines.join("\n") === "" ? "" : `: ${lines.join("\n")}`;
  return new BootcError(`\`${formatCommand(it.program, it.args)}\` ${describeEnd(result)}${said}`);
}

function describeEnd(result: Failed): string {
  if (result.timedOut) return "did not finish in time";
  if (result.exitCode !== undefined) return `failed with status ${result.exitCode}`;
  return `ended by ${result.signal ?? result.code ?? "an unknown cause"}`;
}
