// Starts processes that try steps, and asks them.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { CountedCall } from "./shared.ts";
import type { Answer } from "./stand-process.ts";
import type { Step } from "./steps.ts";
import type { Tried } from "./trial.ts";

export interface RemoteStand {
  /** All calls of the verb when nothing disturbs it. */
  readonly calls: readonly CountedCall[];
  try(step: Step): Promise<Tried>;
  close(): Promise<void>;
}

export async function startStand(scenario: string, executable?: string): Promise<RemoteStand> {
  const words = ["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private"];
  const file = join(import.meta.dirname, "stand-process.ts");
  const program = executable === undefined ? [] : [executable];
  const child = spawn("setpriv", [...words, process.execPath, file, scenario, ...program], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const next = answersOf(child, ended);
  const first = await next();
  if (!("calls" in first)) {
    // It would wait for steps.
    child.kill("SIGKILL");
    throw new Error(describe(first));
  }
  return {
    calls: first.calls,
    async try(step) {
      child.send(step);
      const answer = await next();
      if ("tried" in answer) return answer.tried;
      throw new Error(describe(answer));
    },
    async close() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** Gives the answers one after the other; a failure when the process ends. */
function answersOf(child: ChildProcess, exit: Promise<unknown[]>): () => Promise<Answer> {
  const ended = exit.then(([status, signal]): Answer => {
    return { failure: `the stand ended with ${status ?? signal}` };
  });
  return async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    child.once("message", resolve);
    return await Promise.race([promise, ended]).finally(() => child.off("message", resolve));
  };
}

function describe(answer: Answer): string {
  return "failure" in answer ? answer.failure : "unreachable: not an answer to the question";
}
