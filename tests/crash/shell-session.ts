// A shell that stays, so that looking at a disk does not start one each time.
import type { StdioOptions } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { spawnBound } from "../vm/shell.ts";

export interface ShellSession {
  /** Runs a command up to its first failure; returns its status and the lines that it printed. */
  run(command: string): Promise<{ readonly status: number; readonly lines: readonly string[] }>;
  end(): Promise<void>;
}

const END = "the command ended with ";

/** Its mounts are its own, and end with it. `functions` are defined in it. */
export function startSession(functions: string): ShellSession {
  const words = ["--mount", "--propagation", "private", "sh"];
  // In a group of its own, so that Ctrl-C leaves it to its owner, who still has mounts to undo.
  const stdio: StdioOptions = ["pipe", "pipe", "inherit"];
  const child = spawnBound("unshare", words, { stdio, detached: true });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the shell has no pipes");
  const printed = createInterface({ input: stdout })[Symbol.asyncIterator]();
  stdin.write(`${functions}\n`);
  return {
    async run(command) {
      stdin.write(`( set -e; ${command} ) </dev/null; status=$?; echo; echo "${END}$status"\n`);
      const lines: string[] = [];
      for (;;) {
        const { value, done } = await printed.next();
        if (done === true) throw new Error("the shell ended");
        if (value.startsWith(END)) return { status: Number(value.slice(END.length)), lines };
        if (value !== "") lines.push(value);
      }
    },
    async end() {
      const ended = once(child, "exit");
      stdin.end();
      await ended;
    },
  };
}
