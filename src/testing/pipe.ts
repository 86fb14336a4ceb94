// Both ends of a pipe for one test. Neither end ever blocks.
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { errnoOf } from "../errors.ts";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

export interface TestPipe {
  /** The end to write to. */
  readonly writer: number;
  /** Closes the end to read from. */
  leave(): void;
  /** Writes until nothing more fits. */
  fill(): void;
  /** Removes and returns what is in the pipe now. */
  drain(): string;
}

export function makePipe({ isNonblocking }: { readonly isNonblocking: boolean }): TestPipe {
  const dir = mkdtempSync(join(tmpdir(), "line-pipe-"));
  const path = join(dir, "pipe");
  execFileSync("mkfifo", [path]);
  let reader: number | undefined = openSync(path, O_RDONLY | O_NONBLOCK);
  const writer = openSync(path, isNonblocking ? O_WRONLY | O_NONBLOCK : O_WRONLY);
  const leave = () => {
    if (reader !== undefined) closeSync(reader);
    reader = undefined;
  };
  onTestFinished(() => {
    leave();
    closeSync(writer);
    rmSync(dir, { recursive: true });
  });
  const attempt = (work: () => number): number | undefined => {
    try {
      return work();
    } catch (error) {
      if (errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
  };
  return {
    writer,
    leave,
    fill() {
      const own = openSync(path, O_WRONLY | O_NONBLOCK);
      for (const piece of ["-".repeat(4095).concat("\n"), "\n"]) {
        while (attempt(() => writeSync(own, piece)) !== undefined);
      }
      closeSync(own);
    },
    drain() {
      const buffer = Buffer.alloc(1 << 20);
      let text = "";
      for (;;) {
        const length = attempt(() => readSync(reader ?? -1, buffer));
        if (!length) return text;
        text += buffer.toString("utf8", 0, length);
      }
    },
  };
}
