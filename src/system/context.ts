// What a command may touch: the machine's root, the environment, two output streams and processes.
import type { Readable } from "node:stream";

export interface Context {
  /** The directory that holds the machine's files: `/` on a host, a temporary directory in tests. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isVerbose: boolean;
  /** Aborted by Ctrl-C and by SIGTERM; children have received the signal by then. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;

  /** Prints the answer: a line on standard output. */
  say(line: string): void;
  /** Prints a document to standard output, without adding a newline. */
  write(text: string): void;
  /** Prints a remark about the work: a line on standard error. */
  note(line: string): void;
  /** Runs a program that changes nothing; returns its standard output unchanged. */
  read(program: string, args: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs a program that changes something; its output goes to our standard error. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<void>;
}

/** What the output streams are connected to. */
export interface Terminal {
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  readonly hasColor: boolean;
  /** Width of standard error. */
  readonly columns: number;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * The program speaks the language of whoever called us: it is one that people talk to, or their own. All
   * others print English, by which we read their output and know their failures.
   */
  readonly keepsLocale?: boolean;
  /** Standard input: text, bytes or a stream. Closed by default. */
  readonly input?: string | Uint8Array | Readable;
  /** Exit statuses that mean success; by default only 0. */
  readonly okStatuses?: readonly number[];
  /** Ends the program after this many milliseconds. No limit by default. */
  readonly timeoutMs?: number;
  /** The program gets our own standard input, as an editor needs. Only for `run`. */
  readonly isInteractive?: boolean;
  /** Keeps the program's output for an error message instead of showing it. Only for `run`. */
  readonly isQuiet?: boolean;
  /** The program's standard output is our answer, and goes where ours goes. Only for `run`. */
  readonly isAnswer?: boolean;
  /** The kernel ends the program when we end, whatever the cause. */
  readonly endsWithUs?: boolean;
  /** Ends the program early, as the context's own signal does. */
  readonly signal?: AbortSignal;
  /** Our process does not wait for the program when nothing else is left to do. */
  readonly isBackground?: boolean;
  /** Our open descriptors that the program receives as 3, 4, … */
  readonly descriptors?: readonly number[];
}

/** A context whose programs also end when `signal` is aborted. */
export function withSignal(ctx: Context, signal: AbortSignal): Context {
  const either = AbortSignal.any([ctx.signal, signal]);
  const and = (options: RunOptions = {}): RunOptions => ({
    ...options,
    signal: options.signal ? AbortSignal.any([either, options.signal]) : either,
  });
  return {
    ...ctx,
    signal: either,
    read: (program, args, options) => ctx.read(program, args, and(options)),
    run: (program, args, options) => ctx.run(program, args, and(options)),
  };
}
