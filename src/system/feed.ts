// Feeds a stream to a program. If the stream fails, the program dies before it can take the end for success.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { BootcError, diskFailure, errnoOf } from "../errors.ts";
import type { Context } from "./context.ts";
import { endingWithUs, isMissingProgram } from "./ends-with-us.ts";
import { formatCommand } from "./quote.ts";
import { lastLinesOf, UNTRANSLATED } from "./spawn.ts";

/** How many bytes of each output stream are kept. */
const OUTPUT_MAX = 1 << 20;

/**
 * Runs a program with the batches of `source` as its standard input, and returns its standard output.
 * An error in `source` kills the program and is then thrown; when our process ends, the program dies, too.
 */
export async function feed(
  ctx: Context,
  { program, args }: { readonly program: string; readonly args: readonly string[] },
  source: AsyncIterable<readonly Uint8Array[]>,
): Promise<string> {
  if (ctx.isVerbose) ctx.note(`+ ${formatCommand(program, args)}`);
  ctx.signal.throwIfAborted();
  const env = { ...ctx.env, ...UNTRANSLATED, G_MESSAGES_DEBUG: undefined };
  const [starter, ...words] = endingWithUs(program, args);
  const child = spawn(starter, words, { env, stdio: ["pipe", "pipe", "pipe"] });
  const ended = endOf(child);
  const kill = () => void child.kill("SIGKILL");
  ctx.signal.addEventListener("abort", kill);
  try {
    await write(child.stdin, source, ended);
  } catch (cause) {
    kill();
    await ended;
    throw ctx.signal.aborted ? ctx.signal.reason : cause;
  } finally {
    ctx.signal.removeEventListener("abort", kill);
    child.stdin.destroy();
  }
  const end = await ended;
  ctx.signal.throwIfAborted();
  if (end.status === 0) return end.stdout;
  throw new BootcError(`\`${formatCommand(program, args)}\` ${describeEnd(end)}`, {
    ...(end.isMissing
      ? { hint: `install \`${program}\`, or check PATH` }
      : diskFailure(lastLinesOf(end.stderr).at(-1) ?? "")),
  });
}

interface End {
  readonly status: number | null;
  readonly signal: string | null;
  readonly isMissing: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

function endOf(child: ReturnType<typeof spawn>): Promise<End> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  collect(child.stdout, stdout);
  collect(child.stderr, stderr);
  return new Promise((resolve) => {
    const end = (status: number | null, signal: string | null, error?: Error) => {
      const said = error?.message ?? Buffer.concat(stderr).toString().trim();
      resolve({
        status,
        signal,
        isMissing: errnoOf(error) === "ENOENT" || isMissingProgram(status, said),
        stdout: Buffer.concat(stdout).toString(),
        stderr: said,
      });
    };
    child.on("close", end);
    child.on("error", (error) => end(null, null, error));
  });
}

function collect(stream: NodeJS.ReadableStream | null, into: Buffer[]): void {
  let length = 0;
  stream?.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= OUTPUT_MAX) into.push(chunk);
  });
}

function describeEnd(end: End): string {
  if (end.isMissing) return "could not be started: not found";
  const how = end.signal === null ? `failed with status ${end.status}` : `ended by ${end.signal}`;
  return end.stderr === "" ? how : `${how}: ${lastLinesOf(end.stderr).join("\n")}`;
}

async function write(
  stdin: NodeJS.WritableStream & { cork?(): void; uncork?(): void },
  source: AsyncIterable<readonly Uint8Array[]>,
  ended: Promise<End>,
): Promise<void> {
  let isOver = false;
  const over = ended.then((): undefined => {
    isOver = true;
  });
  // A program that ends early leaves a broken pipe; its exit status says why.
  stdin.on("error", () => {});
  const batches = source[Symbol.asyncIterator]();
  for (;;) {
    // The program may end while the source produces nothing for a long time.
    const next = await Promise.race([batches.next(), over]);
    if (isOver || next === undefined) {
      batches.return?.().catch(() => {});
      return;
    }
    if (next.done === true) break;
    let hasRoom = true;
    stdin.cork?.();
    for (const bytes of next.value) hasRoom = stdin.write(bytes);
    stdin.uncork?.();
    if (!hasRoom) await Promise.race([once(stdin, "drain").catch(() => over), over]);
  }
  stdin.end();
  // Data in transit must not be lost with the pipe: a tar that is cut between two entries looks whole.
  await Promise.race([once(stdin, "finish").catch(() => over), over]);
}
