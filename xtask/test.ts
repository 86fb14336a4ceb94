// `xtask test`: the test suites, by name, one after the other; then what came of all of them.
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { BootcError } from "../src/errors.ts";
import { requirePrograms } from "./requirements.ts";
import { TEST_PROGRAMS } from "./setup.ts";
import type { Task, TaskOptions, Tree } from "./task.ts";
import { describeCounts, readCounts, SUITES, type Suite, sumCounts } from "./test-counts.ts";

/** How long a suite may take, in minutes, on a machine with two slow cores. */
const MINUTES_MAX: Readonly<Record<Suite, number>> = {
  unit: 10,
  cli: 15,
  repo: 60,
  packages: 45,
  vm: 120,
};

export const task: Task = {
  declare: (command: Command) =>
    command
      .argument("[suites...]", `which suites: ${SUITES.join(", ")}; all but vm when none is named`)
      .option("--filter <text>", "only test files whose path contains this")
      .option("--watch", "run again when a file changes")
      .option("--counts", "run nothing; add up what the last run of each suite came to")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask test unit\n  npm run xtask -- test repo --filter merge",
      ),
  async run(tree, options, words) {
    const suites = words.length > 0 ? words.map(requireSuite) : SUITES.filter((it) => it !== "vm");
    if (options.watch === true) {
      await runVitest(tree, ["watch", ...suites.map((it) => `--project=${it}`)], options);
      return undefined;
    }
    if (options.counts === true) return describeCounts(await readCounts(tree, SUITES));
    // Without leave to install, suites skip what they cannot do here and say why.
    if (tree.mayInstall && suites.some(isOfSystem)) await requirePrograms(tree, TEST_PROGRAMS);
    const failed: Suite[] = [];
    for (const suite of suites) if (!(await runSuite(tree, suite, options))) failed.push(suite);
    const counts = sumCounts(await readCounts(tree, suites));
    tree.ctx.say(describeCounts([counts]));
    if (failed.length === 0 && counts.failed === 0) return undefined;
    const where = failed.length > 0 ? failed : suites;
    throw new BootcError(`tests failed in ${where.map((it) => `\`${it}\``).join(", ")}`, {
      hint: "read what is said above about each; `--filter` runs one file alone",
    });
  },
};

/** Whether a suite needs more of the system than this checkout's own Node. */
function isOfSystem(suite: Suite): boolean {
  return suite !== "unit" && suite !== "cli";
}

function requireSuite(name: string): Suite {
  const suite = SUITES.find((it) => it === name);
  if (suite !== undefined) return suite;
  throw new BootcError(`there is no test suite \`${name}\``, {
    kind: "usage",
    hint: `choose from ${SUITES.join(", ")}`,
  });
}

/** The report of a suite that made none. */
const DIED = JSON.stringify({
  success: false,
  numPassedTests: 0,
  numFailedTests: 1,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
});

/** Runs one suite to its end; whether it succeeded. Its report lies in target/tests afterwards. */
async function runSuite(tree: Tree, suite: Suite, options: TaskOptions): Promise<boolean> {
  const report = join(tree.top, "target", "tests", `${suite}.json`);
  await mkdir(join(report, ".."), { recursive: true });
  // A suite that dies must not be judged by the report of an earlier run.
  await rm(report, { force: true });
  tree.ctx.note(`test suite \`${suite}\``);
  const words = [
    "run",
    `--project=${suite}`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    // With --filter there may be nothing to run in a suite.
    ...(options.filter === undefined ? [] : ["--passWithNoTests"]),
  ];
  try {
    await runVitest(tree, words, options, MINUTES_MAX[suite] * 60_000);
    return true;
  } catch (error) {
    tree.ctx.signal.throwIfAborted();
    // vitest has told the rest.
    tree.ctx.note(`${suite}: ${String(error).split("\n", 1)[0]}`);
    // One that was ended before it could report is a failure too.
    if (!existsSync(report)) await writeFile(report, DIED);
    return false;
  }
}

async function runVitest(
  { ctx, top }: Tree,
  words: readonly string[],
  options: TaskOptions,
  timeoutMs?: number,
): Promise<void> {
  const filter = options.filter === undefined ? [] : [String(options.filter)];
  await ctx.run(process.execPath, ["node_modules/vitest/vitest.mjs", ...words, ...filter], {
    cwd: top,
    isInteractive: options.watch === true,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}
