// `xtask test`: runs test suites one after the other, then prints the sum of their results.
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

/** Minutes without the beginning or end of a test after which a suite is ended: more than any test takes. */
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
      .argument("[suites...]", `suites to run: ${SUITES.join(", ")}; all but vm by default`)
      .option("--filter <text>", "only test files whose path contains this")
      .option("--watch", "run again when a file changes")
      .option("--counts", "run nothing; add up the results of the last run of each suite")
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
    // If we may not install programs, suites skip what they cannot do here and say why.
    if (tree.mayInstall && suites.some(isOfSystem)) await ensurePrograms(tree, TEST_PROGRAMS);
    const failed: Suite[] = [];
    for (const suite of suites)
      if (!(await runOne(tree, suite, options.filter))) failed.push(suite);
    const counts = sumCounts(await readCounts(tree, suites));
    tree.ctx.say(describeCounts([counts]));
    if (failed.length === 0 && counts.failed === 0) return undefined;
    const where = failed.length > 0 ? failed : suites;
    throw new BootcError(`tests failed in ${where.map((it) => `\`${it}\``).join(", ")}`, {
      hint: "see the failures above; `--filter` runs one file alone",
    });
  },
});

/** Whether a suite needs more than this checkout's own Node. */
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

/** Runs a suite, leaves its report in target/tests, and returns whether it succeeded. */
async function runOne(tree: Tree, suite: Suite, filter?: string): Promise<boolean> {
  tree.ctx.note(`test suite \`${suite}\``);
  return await runSuite(tree, {
    name: suite,
    words: [
      projectsOf(suite),
      // With --filter, a suite may have nothing to run.
      ...(filter === undefined ? [] : ["--passWithNoTests", filter]),
    ],
    report: reportPath(tree, suite),
    stillMs: MINUTES_STILL[suite] * 60_000,
  });
}

/** A suite may have more projects in `vitest.config.ts`, which begin with its name. */
function projectsOf(suite: Suite): string {
  return `--project=${suite}*`;
}

async function watch(
  { ctx, top }: Tree,
  suites: readonly Suite[],
  filter: string | undefined,
): Promise<void> {
  const words = suites.map(projectsOf);
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
