// `xtask test`: the test suites, by name, one after the other; then what came of all of them.
import { BootcError } from "../src/errors.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { TEST_PROGRAMS } from "./setup.ts";
import {
  describeCounts,
  REPORTS,
  readCounts,
  reportPath,
  SUITES,
  type Suite,
  sumCounts,
} from "./suites/counts.ts";
import { runSuite } from "./suites/suite.ts";
import { defineTask, type Tree } from "./task.ts";

/** How long no test of a suite may begin or end, in minutes: longer than any takes under a heavy load. */
const MINUTES_STILL: Readonly<Record<Suite, number>> = {
  unit: 10,
  cli: 15,
  repo: 60,
  packages: 60,
  vm: 120,
};

export const task = defineTask({
  declare: (command) =>
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
      await watch(tree, suites, options.filter);
      return undefined;
    }
    if (options.counts === true) return describeCounts(await readCounts(tree, REPORTS));
    // Without leave to install, suites skip what they cannot do here and say why.
    if (tree.mayInstall && suites.some(isOfSystem)) await ensurePrograms(tree, TEST_PROGRAMS);
    const failed: Suite[] = [];
    for (const suite of suites)
      if (!(await runOne(tree, suite, options.filter))) failed.push(suite);
    const counts = sumCounts(await readCounts(tree, suites));
    tree.ctx.say(describeCounts([counts]));
    if (failed.length === 0 && counts.failed === 0) return undefined;
    const where = failed.length > 0 ? failed : suites;
    throw new BootcError(`tests failed in ${where.map((it) => `\`${it}\``).join(", ")}`, {
      hint: "read what is said above about each; `--filter` runs one file alone",
    });
  },
});

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

/** Runs one suite to its end; whether it succeeded. Its report lies in target/tests afterwards. */
async function runOne(tree: Tree, suite: Suite, filter?: string): Promise<boolean> {
  tree.ctx.note(`test suite \`${suite}\``);
  return await runSuite(tree, {
    name: suite,
    words: [
      `--project=${suite}`,
      // With --filter there may be nothing to run in a suite.
      ...(filter === undefined ? [] : ["--passWithNoTests", filter]),
    ],
    report: reportPath(tree, suite),
    stillMs: MINUTES_STILL[suite] * 60_000,
  });
}

async function watch(
  { ctx, top }: Tree,
  suites: readonly Suite[],
  filter: string | undefined,
): Promise<void> {
  const words = suites.map((it) => `--project=${it}`);
  const filters = filter === undefined ? [] : [filter];
  await ctx.run(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "watch", ...words, ...filters],
    {
      cwd: top,
      isInteractive: true,
    },
  );
}
