// Checks the C library calls where vitest does not run: in an executable, and in another architecture's Node.
// Prints JSON: the names of failed checks and the counts of senseless calls, or `"shut"` if the door is shut.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openLibc } from "../native/libc.ts";
import { openFileLabels } from "../native/selabel.ts";
import { LIBC_CHECKS } from "./libc-checks.ts";
import { callWithNonsense } from "./libc-nonsense.ts";

/** An empty directory, and the folder of an SELinux policy to look up a label in. */
const [dir = "", policy] = process.argv.slice(2);

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
  return { failed, nonsense: callWithNonsense(libc), labels: lookUp() };
}

function lookUp(): unknown {
  if (policy === undefined) return null;
  const labels = openFileLabels(policy);
  if (labels === undefined) return "shut";
  callWithNonsense(labels);
  const found = labels.lookUp("/etc", 0o040755);
  labels.close();
  return found;
}

process.stdout.write(`${JSON.stringify(report())}\n`);
