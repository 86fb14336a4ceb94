// The thread that starts the program under test: all that it starts asks before it changes a file system.
import { spawnSync } from "node:child_process";
import { parentPort, workerData } from "node:worker_threads";
import { installFilter } from "./filter.ts";
import { AT } from "./shared.ts";

export interface SpawnRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

export interface Spawned {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start({ program, args, env, timeoutMs }: SpawnRequest): Spawned {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  if (error !== undefined && status === null && signal === null) throw error;
  return { status, signal, stdout, stderr };
}

parentPort?.on("message", (request: SpawnRequest) => parentPort?.postMessage(start(request)));
// From here on even a message is a question, so the supervisor has to learn by memory where questions arrive.
const words = new Int32Array(workerData as SharedArrayBuffer);
Atomics.store(words, AT.listener, installFilter());
Atomics.notify(words, AT.listener);
