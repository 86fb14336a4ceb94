// How a program is started: by execa, or in the background by what Node has itself.
import type { SpawnOptions } from "node:child_process";
import type { RunOptions } from "./context.ts";

export interface Spawned {
  readonly program: string;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdio: readonly StdioOption[];
}

/** One descriptor of the program: its own pipe, ours of that number, or both. */
export type StdioOption = "inherit" | "ignore" | "pipe" | number | readonly [number, "pipe"];

export interface Ended {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly timedOut?: boolean;
  readonly code?: string | undefined;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
}

/**
 * The language of programs whose output we read, and of those whose failures we know by their words. Unlike
 * for C, the C library looks at LANGUAGE for C.UTF-8.
 */
export const UNTRANSLATED = { LC_ALL: "C.UTF-8", LANGUAGE: undefined } as const;

/** How many lines of a failed program's standard error go into the error message. */
const STDERR_LINES = 20;

/** What GLib says on its own, as in `(ostree:44): OSTree-WARNING **: 05:59:16.133: …`. */
const GLIB_LOG = /^\([^)]+:\d+\): \S+ \*\*: /;

/**
 * The last lines of what a failed program said. An empty line comes before each of GLib's; the program's own
 * error says more than they do.
 */
export function lastLinesOf(stderr: string): readonly string[] {
  const lines = stderr.trimEnd().split("\n");
  if (!lines.some((it) => GLIB_LOG.test(it))) return lines.slice(-STDERR_LINES);
  const filled = lines.filter((it) => it !== "");
  const own = filled.filter((it) => !GLIB_LOG.test(it));
  return (own.length === 0 ? filled : own).slice(-STDERR_LINES);
}

const OUTPUT_BYTES_MAX = 1 << 28;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5000;

export async function runToTheEnd(
  { program, args, signal, env, stdio }: Spawned,
  { input, cwd, timeoutMs }: RunOptions,
): Promise<Ended> {
  // execa takes a tenth of a verb's start-up time, so verbs that do not start a program do not load it.
  const { execa } = await import("execa");
  return await execa(program, args, {
    ...(input === undefined ? {} : { input }),
    // execa accepts any list, but its types know only literal ones.
    stdio: stdio as readonly StdioOption[] as readonly ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    env,
    extendEnv: false,
    stripFinalNewline: false,
    maxBuffer: OUTPUT_BYTES_MAX,
    cancelSignal: signal,
    forceKillAfterDelay: GRACE_MS,
    reject: false,
  });
}

/**
 * Our process does not wait for this program. The first thing that an update does is to ask the registry
 * through one, and loading execa for that would take 20 ms, so it is started without.
 */
export async function runInBackground({
  program,
  args,
  signal,
  env,
  stdio,
}: Spawned): Promise<Ended> {
  const { spawn } = await import("node:child_process");
  // Aborting is done below, because Node would not kill a program that ignores SIGTERM.
  const options: SpawnOptions = { env, stdio: stdio as SpawnOptions["stdio"] };
  const child = spawn(program, args, options);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  for (const handle of [child, child.stdout, child.stderr]) unreference(handle);
  // Node makes this stream at its first use, which takes 5 ms. The answer is printed to it later in any case.
  setImmediate(() => process.stdout);
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill();
    killer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
  };
  signal.addEventListener("abort", stop);
  // It may have been aborted while the module was loaded.
  if (signal.aborted) stop();
  try {
    return await new Promise((resolve) => {
      child.once("error", (error: NodeJS.ErrnoException) => resolve({ code: error.code }));
      child.once("close", (exitCode, endSignal) =>
        resolve({
          exitCode: exitCode ?? undefined,
          signal: endSignal ?? undefined,
          stdout: stdout(),
          stderr: stderr(),
        }),
      );
    });
  } finally {
    clearTimeout(killer);
    signal.removeEventListener("abort", stop);
  }
}

/** Keeps what a stream brings, up to the limit; gives the text so far. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (piece: Buffer) => {
    if (bytes < OUTPUT_BYTES_MAX) pieces.push(piece);
    bytes += piece.length;
  });
  return () => Buffer.concat(pieces).toString();
}

/** A pipe of a child is a socket, though its type does not say so. */
function unreference(handle: object | null | undefined): void {
  if (handle && "unref" in handle && typeof handle.unref === "function") handle.unref();
}
