// Shows how far a long run is: a bar on a terminal; elsewhere, a line for every hundredth result.

import { say } from "./long-run.ts";

export interface RunBar {
  count(result: { readonly problems: readonly string[] }): void;
  end(): void;
}

export function startBar(total: number): RunBar {
  const isTerminal = process.stderr.isTTY === true;
  const startedAt = Date.now();
  let done = 0;
  let failed = 0;
  const text = () => {
    const left = ((Date.now() - startedAt) / Math.max(done, 1)) * (total - done);
    const filled = Math.round((30 * done) / Math.max(total, 1));
    const bar = "#".repeat(filled).padEnd(30, ".");
    return `[${bar}] ${done} of ${total}, ${failed} failed, ${Math.ceil(left / 60_000)} min left`;
  };
  return {
    count({ problems }) {
      done++;
      if (problems.length > 0) failed++;
      if (isTerminal) process.stderr.write(`\r\x1b[K${text()}`);
      else if (done % 100 === 0) say(text());
    },
    end() {
      if (isTerminal && total > 0) process.stderr.write("\n");
    },
  };
}
