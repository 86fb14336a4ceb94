// A program, started without a shell and waited for. Node's own spawn: a library for it costs a verb 30 ms.
import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { errnoOf } from "../errors.ts";

export interface ChildOptions {
  readonly cwd?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: "ignore" | "inherit" | "pipe";
  readonly input?: string | Uint8Array | Readable | undefined;
  /** `pipe` to collect it, or a descriptor of ours. */
  readonly stdout: "pipe" | "ignore" | number;
  /** Standard error is shown while it is collected. */
  readonly showsStderr: boolean;
  readonly descriptors: readonly number[];
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface ChildEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Why it could not be started, `ENOENT` for instance. */
  readonly startErrno: string | undefined;
  readonly isTimeout: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a program has to end after it was told to, in milliseconds. */
const GRACE_MS = 5000;
/** Of standard output and error each, what is kept at most. A manifest or a listing is far smaller. */
const OUTPUT_BYTES_MAX = 1 << 28;

/** Runs a program to its end, whichever that is. Only a failing `input` is thrown. */
export async function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<ChildEnd> {
  const child = spawn(program, args, {
    stdio: [options.stdin, options.stdout, "pipe", ...options.descriptors],
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let isTimeout = false;
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    child.kill();
    setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
  };
  const timer = setTimeout(() => {
    isTimeout = true;
    end();
  }, options.timeoutMs ?? 0x7fffffff).unref();
  const onAbort = () => end();
  options.signal.addEventListener("abort", onAbort, { once: true });
  // What it started may hold its pipes for long; who was told to end is not waited for.
  child.once("exit", () => isEnding && [child.stdout, child.stderr].map((it) => it?.destroy()));
  const stdout = collect(child.stdout, end);
  const stderr = collect(child.stderr, end);
  if (options.showsStderr) child.stderr?.on("data", (it: Buffer) => process.stderr.write(it));
  try {
    const [how] = await Promise.all([endOf(child), feedInput(child.stdin, options.input, end)]);
    return { ...how, isTimeout, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
  }
}

type How = Pick<ChildEnd, "exitCode" | "signal" | "startErrno">;

function endOf(child: ReturnType<typeof spawn>): Promise<How> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return; // it could not be killed: it has ended by itself
      resolve({
        exitCode: undefined,
        signal: undefined,
        startErrno: errnoOf(error) ?? error.message,
      });
    });
    child.once("close", (exitCode, signal) =>
      resolve({
        exitCode: exitCode ?? undefined,
        signal: signal ?? undefined,
        startErrno: undefined,
      }),
    );
  });
}

function collect(stream: Readable | null, end: () => void): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > OUTPUT_BYTES_MAX) end();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

/** Writes the input; a program that does not want all of it is no error, an input that fails is one. */
async function feedInput(
  stdin: NodeJS.WritableStream | null,
  input: ChildOptions["input"],
  end: () => void,
): Promise<void> {
  if (stdin === null) return;
  stdin.on("error", () => undefined); // a broken pipe; the program's status says why
  if (!(input instanceof Readable)) {
    stdin.end(input ?? "");
    return;
  }
  try {
    for await (const chunk of input) {
      if (!stdin.writable) return;
      if (!stdin.write(chunk)) await new Promise((resolve) => onceRoom(stdin, resolve));
    }
    stdin.end();
  } catch (error) {
    end();
    throw error;
  }
}

function onceRoom(stdin: NodeJS.WritableStream, resolve: (value: unknown) => void): void {
  stdin.once("drain", resolve);
  stdin.once("close", resolve);
}
