// Checks the C library calls where vitest does not run: in an executable, and in another architecture's Node.
// Prints JSON: what failed, by name, and the counts of senseless calls; `"shut"` when the door is shut.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openLibc } from "../system/libc.ts";
import { LIBC_CHECKS } from "./libc-checks.ts";
import { callWithNonsense } from "./libc-nonsense.ts";

/** An empty directory. */
const [dir = ""] = process.argv.slice(2);

function report(): unknown {
  const libc = openLibc();
  if (libc === undefined) return "shut";
  const failed: Record<string, string> = {};
  for (const [i, { name, check }] of LIBC_CHECKS.entries()) {
    const own = join(dir, `${i}`);
    mkdirSync(own);
    try {
      check(libc, own);
    } catch (error) {
      failed[name] = error instanceof Error ? (error.stack ?? error.message) : "no error";
    }
  }
  return { failed, nonsense: callWithNonsense(libc) };
}

process.stdout.write(`${JSON.stringify(report())}\n`);
