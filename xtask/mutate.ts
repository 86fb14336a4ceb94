// `xtask mutate`: makes one small change to a source file at a time, and lists what no unit test notices.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { join, relative, resolve } from "node:path";
import { BootcError } from "../src/errors.ts";
import { TEST_FILE } from "./checks/imports.ts";
import { parseCount } from "./count.ts";
import { judgeMutant, readBaseline } from "./mutate/judge.ts";
import { openLedger } from "./mutate/ledger.ts";
import { findMutants, mutantKey, sampleOf } from "./mutate/mutants.ts";
import {
  type FileReport,
  formatJson,
  formatScores,
  formatSurvivors,
  type Judged,
} from "./mutate/report.ts";
import { defineTask, type Tree } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .argument("<files...>", "source files; test files among them are skipped")
      .option("--sample <number>", "try at most this many mutants of each file")
      .option("--seed <number>", "chooses the sample; printed, so that it can be repeated")
      .option("--json", "print every mutant and its verdict as JSON")
      .addHelpText(
        "after",
        [
          "",
          "docs/testing.md lists the changes and explains the results. A run that was interrupted",
          "is continued by the next one.",
          "",
          "Examples:",
          "  npm run xtask mutate src/ostree/keyfile.ts",
          "  npm run xtask -- mutate --sample 30 --seed 1 src/ostree/*.ts",
        ].join("\n"),
      ),
  async run(tree, options, words) {
    const paths = words.map((it) => requireSource(tree, it)).filter((it) => !TEST_FILE.test(it));
    const { sample } = options;
    const count = sample === undefined ? Number.POSITIVE_INFINITY : parseCount("--sample", sample);
    const seed =
      options.seed === undefined ? Date.now() % 1_000_000 : parseCount("--seed", options.seed, 0);
    if (Number.isFinite(count)) tree.ctx.note(`seed ${seed}`);
    // Thousands of short programs follow; everything else on this machine comes first.
    setPriority(19);
    const reports: FileReport[] = [];
    for (const path of paths) reports.push(await mutate(tree, path, { count, seed }));
    if (options.json === true) return formatJson(seed, reports);
    return [...reports.flatMap(formatSurvivors), "", formatScores(reports)].join("\n");
  },
});

function requireSource({ top }: Tree, word: string): string {
  const path = relative(top, resolve(word));
  if (path.endsWith(".ts") && !path.startsWith("..") && existsSync(join(top, path))) return path;
  throw new BootcError(`\`${word}\` is not a source file of this checkout`, { kind: "usage" });
}

async function mutate(
  tree: Tree,
  path: string,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<FileReport> {
  const all = findMutants(await readFile(join(tree.top, path), "utf8"));
  const baseline = await readBaseline(tree, path);
  const ledger = await openLedger(tree, baseline);
  const judged: Judged[] = [];
  for (const mutant of sampleOf(all, count, seed)) {
    const known = ledger.known.get(mutantKey(mutant));
    const verdict = known ?? (await judgeMutant(tree, baseline, mutant));
    if (known === undefined) await ledger.add(mutant, verdict);
    judged.push({ ...mutant, verdict });
  }
  const survived = judged.filter((it) => it.verdict === "survived").length;
  tree.ctx.note(`${path}: ${judged.length} of ${all.length} mutants tried, ${survived} survived`);
  return { path, tests: baseline.tests.flat().length, mutants: all.length, judged };
}
