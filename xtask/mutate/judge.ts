// Runs the tests that import a file, under a time limit, to find out whether they notice a mutant.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { failureOf } from "../../src/system/run.ts";
import type { Tree } from "../task.ts";
import { applyChange, type Mutant } from "./mutants.ts";

export type Verdict = "killed" | "timeout" | "survived";

/** The unit tests of a file without a change. */
export interface Baseline {
  /** Relative to the checkout. */
  readonly path: string;
  /** Test files that import it, relative to the checkout; those beside it come first. */
  readonly tests: readonly (readonly string[])[];
  /** The time limit for a run with a change. */
  readonly limitMs: number;
}

const CONFIG = "xtask/mutate/vitest.config.ts";
/** A run takes at least a second, and several on a busy machine. */
const LIMIT_MIN_MS = 15_000;
const LIMIT_FACTOR = 4;

/** Runs the tests of the unchanged file. They have to succeed, or every mutant would seem noticed. */
export async function readBaseline(tree: Tree, path: string): Promise<Baseline> {
  const report = join(await workDir(tree), "baseline.json");
  const since = performance.now();
  const words = ["related", path, "--run", "--passWithNoTests"];
  await runVitest(tree, [...words, "--reporter=json", `--outputFile=${report}`], {
    limitMs: 600_000,
  }).catch((cause: unknown) => {
    throw new BootcError(`the unit tests of ${path} fail without a change`, {
      cause,
      hint: "`xtask test unit` shows which",
    });
  });
  const all = parseTests(await readFile(report, "utf8"), tree.top);
  const isBeside = (it: string) => dirname(it) === dirname(path);
  const own = `${basename(path, ".ts")}.test.ts`;
  const isOwn = (it: string) => Number(basename(it) === own);
  const beside = all.filter(isBeside).sort((a, b) => isOwn(b) - isOwn(a));
  return {
    path,
    tests: [beside, all.filter((it) => !isBeside(it))].filter((it) => it.length > 0),
    limitMs: Math.max(LIMIT_MIN_MS, LIMIT_FACTOR * (performance.now() - since)),
  };
}

function parseTests(text: string, top: string): readonly string[] {
  const { testResults } = JSON.parse(text) as { testResults: readonly { name: string }[] };
  return testResults.map(({ name }) => relative(top, name)).sort();
}

/** Runs the tests beside the file first, which are quick and notice most mutants. */
export async function judgeMutant(
  tree: Tree,
  { path, tests, limitMs }: Baseline,
  mutant: Mutant,
): Promise<Verdict> {
  const file = join(tree.top, path);
  const changed = join(await workDir(tree), "mutant.ts");
  await writeFile(changed, applyChange(await readFile(file, "utf8"), mutant));
  const env = { BOOTC_MUTATED: file, BOOTC_MUTANT: changed };
  for (const some of tests) {
    try {
      await runVitest(tree, ["run", ...some], { limitMs, env });
    } catch (error) {
      tree.ctx.signal.throwIfAborted();
      return verdictOf(error);
    }
  }
  return "survived";
}

/** Statuses of timeout(1) after a timeout, with the second for a program that it had to kill. */
const TIMED_OUT = [124, 137];

function verdictOf(error: unknown): Verdict {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  const { exitCode } = failure;
  if (exitCode === undefined || TIMED_OUT.includes(exitCode)) return "timeout";
  return "killed";
}

/**
 * A change may make a loop endless in a process that vitest started, so timeout(1) ends the whole process
 * group.
 */
async function runVitest(
  { ctx, top }: Tree,
  words: readonly string[],
  {
    limitMs,
    env = {},
  }: { readonly limitMs: number; readonly env?: Readonly<Record<string, string>> },
): Promise<void> {
  const vitest = ["node_modules/vitest/vitest.mjs", ...words, `--config=${CONFIG}`];
  const limit = ["--signal=KILL", String(Math.ceil(limitMs / 1000))];
  await ctx.run("timeout", [...limit, process.execPath, ...vitest], {
    cwd: top,
    env: { NO_COLOR: "1", ...env },
    isQuiet: true,
  });
}

async function workDir({ top }: Tree): Promise<string> {
  const dir = join(top, "target/mutants");
  await mkdir(dir, { recursive: true });
  return dir;
}

/** The texts of the file and of its tests; a verdict holds until one of them changes. */
export async function readTexts(
  { top }: Tree,
  { path, tests }: Baseline,
): Promise<readonly string[]> {
  return await Promise.all([path, ...tests.flat()].map((it) => readFile(join(top, it), "utf8")));
}
