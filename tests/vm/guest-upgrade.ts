// Watches a running upgrade in the guest: which phase it is in, and for how long.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Machine } from "./machine.ts";

export type UpgradeStep = "plan" | "pull" | "import" | "stage" | "done";

export interface WatchedUpgrade {
  /** The current step. */
  step(): UpgradeStep;
  /** Resolves when the step has begun, or a later one, or the program has ended. */
  reached(step: UpgradeStep): Promise<void>;
  readonly ended: Promise<number>;
  /** When each step was first seen, in milliseconds since the start. */
  readonly begunMs: ReadonlyMap<UpgradeStep, number>;
  /** Output other than progress. */
  said(): string;
}

const ORDER: readonly UpgradeStep[] = ["plan", "pull", "import", "stage", "done"];

export function startUpgrade(machine: Machine): WatchedUpgrade {
  // Progress goes only to pipes, and sshd gives commands a socket.
  const command = "set -o pipefail; bootc upgrade --quiet --progress-fd 3 3>&1 1>&2 | cat";
  const [program, args] = machine.sshCommand(command);
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const startedAt = Date.now();
  const begunMs = new Map<UpgradeStep, number>([["plan", 0]]);
  let step: UpgradeStep = "plan";
  let said = "";
  let waiting: (readonly [UpgradeStep, () => void])[] = [];
  const advance = (to: UpgradeStep) => {
    if (ORDER.indexOf(to) <= ORDER.indexOf(step)) return;
    step = to;
    begunMs.set(to, Date.now() - startedAt);
    for (const [wanted, resolve] of waiting) {
      if (ORDER.indexOf(wanted) <= ORDER.indexOf(to)) resolve();
    }
    waiting = waiting.filter(([wanted]) => ORDER.indexOf(wanted) > ORDER.indexOf(to));
  };
  if (child.stdout) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const next = stepOf(line);
      if (next !== undefined) advance(next);
    });
  }
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<number>((resolve) =>
    child.once("exit", (code) => resolve(code ?? 255)),
  );
  void ended.then(() => advance("done"));
  return {
    step: () => step,
    reached: (wanted) =>
      new Promise((resolve) => {
        if (ORDER.indexOf(wanted) <= ORDER.indexOf(step)) resolve();
        else waiting.push([wanted, resolve]);
      }),
    ended,
    begunMs,
    said: () => said,
  };
}

/** The step a line of the progress protocol belongs to. */
export function stepOf(line: string): UpgradeStep | undefined {
  if (!line.startsWith("{")) return undefined;
  const it = JSON.parse(line) as {
    readonly type: string;
    readonly task?: string;
    readonly steps?: number;
    readonly stepsTotal?: number;
  };
  if (it.task === "pulling") return it.steps === it.stepsTotal ? "import" : "pull";
  if (it.task === "importing") return it.steps === 0 ? "import" : "stage";
  return it.task === "staging" ? "stage" : undefined;
}
