// What a command may touch: the machine's root, the environment, two output streams, and processes.
import type { Readable } from "node:stream";

export interface Context {
  /** Where the machine's files are: `/` on a host, a temporary directory in tests. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isVerbose: boolean;
  /** Aborted by Ctrl-C and by SIGTERM; children have been told by then. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;

  /** The answer, a line on standard output. */
  say(line: string): void;
  /** The same as it is, without a newline. */
  write(text: string): void;
  /** Talk about the work, a line on standard error. */
  note(line: string): void;
  /** Asks a program something; its standard output, unchanged. */
  read(program: string, args: readonly string[], options?: RunOptions): Promise<string>;
  /** Has a program change something; its output goes to our standard error. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<void>;
}

/** What the two output streams are connected to. */
export interface Terminal {
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  readonly hasColor: boolean;
  /** Width of standard error, in columns. */
  readonly columns: number;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Standard input: text, bytes or a stream. Closed when not given. */
  readonly input?: string | Uint8Array | Readable;
  /** Exit statuses that mean success; 0 alone when not given. */
  readonly okStatuses?: readonly number[];
  /** Ends the program, in milliseconds. No limit when not given. */
  readonly timeoutMs?: number;
  /** The program gets our own standard input, as an editor needs. Only for `run`. */
  readonly isInteractive?: boolean;
  /** What `run` lets the program say is kept for an error message and not shown. */
  readonly isQuiet?: boolean;
  /** The kernel ends the program when we end, however that happens. */
  readonly endsWithUs?: boolean;
  /** Ends the program early, besides the context's own signal. */
  readonly signal?: AbortSignal;
  /** Open descriptors of ours that the program gets as 3, 4, … */
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
