// `xtask bench`: measures, prints tables for people or JSON for scripts, and draws charts.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { BenchOptions } from "../bench/bench.ts";
import { drawChart } from "../bench/chart.ts";
import { findExceeded, formatReport, type Report } from "../bench/figures.ts";
import { chartName, fillPage } from "../bench/page.ts";
import { BootcError } from "../src/errors.ts";
import { parseCount } from "./count.ts";
import { defineTask, type Tree } from "./task.ts";

const HELP = `
A name stands for one benchmark, \`targets\` for all pulls of images that people run. Charts and pages
show what has just been measured, or what an earlier run saved.

COMMAND of --against is any program with the command line of \`bootc\`: it is run as
  COMMAND internals ostree-container image pull --quiet --insecure-skip-tls-verification REPO IMGREF
or, when COMMAND is several words, as COMMAND image pull ....

Examples:
  npm run xtask bench start-up
  npm run xtask -- bench start-up --json
  npm run xtask -- bench targets --against "/usr/bin/ostree-ext-cli container" --save docs/data/pulls.json
  npm run xtask -- bench --from docs/data/pulls.json --chart docs/charts --page docs/performance.md`;

export const task = defineTask({
  declare: (command) =>
    command
      .argument("[names...]", "which benchmarks to run; all by default")
      .option("--rounds <number>", "how often to run each command")
      .option("--layers <number>", "measure only with generated images of this many layers")
      .option("--against <command>", "pull with another program too, in turn with ours")
      .option("--json", "print figures for scripts")
      .option("--save <file>", "write the figures to a file, after each benchmark")
      .option("--from <file>", "read figures that were saved, and measure nothing")
      .option("--chart <dir>", "draw a chart for each case")
      .option("--page <file>", "put the figures into a page, with the charts of --chart")
      .option("--check", "fail when a figure exceeds its limit")
      .addHelpText("after", HELP),
  async run(tree, options, words) {
    const { rounds, layers, against, from, save, chart, page } = options;
    const chosen: BenchOptions = {
      ...(rounds === undefined ? {} : { rounds: parseCount("--rounds", rounds) }),
      ...(layers === undefined ? {} : { layers: parseCount("--layers", layers) }),
      ...(against === undefined ? {} : { against }),
    };
    if (page !== undefined && chart === undefined) {
      throw new BootcError("`--page` needs `--chart`", {
        kind: "usage",
        hint: "name the folder of the charts that the page shows",
      });
    }
    const isSilent = options.json === true;
    const reports =
      from === undefined
        ? await measureAll(tree, words, { chosen, save, isSilent })
        : await readReports(from, words);
    if (from !== undefined && !isSilent) sayAll(tree, reports);
    if (isSilent) tree.ctx.say(JSON.stringify(reports, undefined, 2));
    if (chart !== undefined) await drawAll(chart, reports);
    if (chart !== undefined && page !== undefined) {
      const text = await readFile(page, "utf8");
      await writeFile(page, fillPage(text, reports, relative(dirname(page), chart)));
    }
    if (options.check === true) requireLimits(reports);
    return undefined;
  },
});

interface Measuring {
  readonly chosen: BenchOptions;
  readonly save: string | undefined;
  readonly isSilent: boolean;
}

async function measureAll(
  tree: Tree,
  words: readonly string[],
  { chosen, save, isSilent }: Measuring,
): Promise<readonly Report[]> {
  // Loaded here because the benchmarks use most of xtask.
  const { BENCHES, GROUPS } = await import("../bench/benches.ts");
  const wanted =
    words.length > 0 ? words.flatMap((it) => GROUPS[it] ?? [it]) : Object.keys(BENCHES);
  requireKnown(wanted, [...Object.keys(GROUPS), ...Object.keys(BENCHES)]);
  const reports: Report[] = [];
  for (const name of wanted) {
    tree.ctx.note(`benchmark ${name}`);
    const made = (await BENCHES[name]?.run(tree, chosen)) ?? [];
    reports.push(...made);
    if (!isSilent) sayAll(tree, made);
    if (save !== undefined) await saveReports(save, reports);
  }
  return reports;
}

function sayAll({ ctx }: Tree, reports: readonly Report[]): void {
  for (const report of reports) ctx.say(`${formatReport(report)}\n`);
}

async function saveReports(path: string, reports: readonly Report[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(reports, undefined, 2)}\n`);
}

/** The reports of a file, those of the benchmarks in `words` alone if there are any. */
async function readReports(path: string, words: readonly string[]): Promise<readonly Report[]> {
  const reports = await readJson(path).catch((cause: unknown) => {
    throw unsaved(path, cause);
  });
  if (!Array.isArray(reports)) throw unsaved(path);
  requireKnown(words, [...new Set((reports as Report[]).map(({ name }) => name))]);
  return (reports as Report[]).filter(({ name }) => words.length === 0 || words.includes(name));
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, "utf8"));
}

function unsaved(path: string, cause?: unknown): BootcError {
  return new BootcError(`\`${path}\` does not have saved figures`, {
    cause,
    hint: "make it with `--save`",
  });
}

/** Of several reports about the same runs, the first one is drawn. */
async function drawAll(folder: string, reports: readonly Report[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const byName = new Map(reports.toReversed().map((report) => [report.name, report]));
  for (const [name, report] of byName) {
    await writeFile(join(folder, chartName(name)), drawChart(report));
  }
}

function requireKnown(words: readonly string[], names: readonly string[]): void {
  const unknown = words.find((it) => !names.includes(it));
  if (unknown === undefined) return;
  throw new BootcError(`there is no benchmark \`${unknown}\``, {
    kind: "usage",
    hint: `choose from ${names.join(", ")}`,
  });
}

function requireLimits(reports: readonly Report[]): void {
  const exceeded = reports.flatMap((report) =>
    findExceeded(report).map((line) => `${report.title}: ${line}`),
  );
  if (exceeded.length === 0) return;
  throw new BootcError(`limits exceeded: ${exceeded.join("; ")}`, {
    hint: "repeat this on an idle machine before you look for the cause",
  });
}
