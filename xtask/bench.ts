// `xtask bench`: measures, and prints a table for people or JSON for scripts.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "../bench/bench.ts";
import { findExceeded, formatReport, type Report } from "../bench/figures.ts";
import { BootcError } from "../src/errors.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .argument("[names...]", "which benchmarks to run; all by default")
      .option("--rounds <number>", "how often to run each command")
      .option("--layers <number>", "measure only with images of this many layers")
      .option("--json", "print figures for scripts")
      .option("--check", "fail when a figure exceeds its limit")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask bench start-up\n  npm run xtask -- bench start-up --json",
      ),
  async run(tree, options, words) {
    const folder = join(tree.top, "bench");
    const names = await findBenches(folder);
    requireKnown(words, names);
    const chosen = {
      ...(options.rounds === undefined ? {} : { rounds: parseCount("rounds", options.rounds) }),
      ...(options.layers === undefined ? {} : { layers: parseCount("layers", options.layers) }),
    };
    const reports: Report[] = [];
    for (const name of words.length > 0 ? words : names) {
      const { bench } = (await import(join(folder, `${name}.ts`))) as { readonly bench: Bench };
      tree.ctx.note(`benchmark ${name}`);
      const made = await bench.run(tree, chosen);
      reports.push(...made);
      if (options.json !== true) for (const it of made) tree.ctx.say(`${formatReport(it)}\n`);
    }
    if (options.json === true) tree.ctx.say(JSON.stringify(reports, undefined, 2));
    if (options.check === true) requireLimits(reports);
    return undefined;
  },
});

/** A file in bench/ is a benchmark if it has `export const bench`. */
async function findBenches(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((it) => it.endsWith(".ts")).sort();
  const texts = await Promise.all(files.map((it) => readFile(join(folder, it), "utf8")));
  return files
    .filter((_, i) => texts[i]?.includes("export const bench: Bench"))
    .map((it) => it.slice(0, -".ts".length));
}

function requireKnown(words: readonly string[], names: readonly string[]): void {
  const unknown = words.find((it) => !names.includes(it));
  if (unknown === undefined) return;
  throw new BootcError(`there is no benchmark \`${unknown}\``, {
    kind: "usage",
    hint: `choose from ${names.join(", ")}`,
  });
}

function parseCount(what: string, value: string): number {
  const count = Number(value);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new BootcError(`\`${value}\` is not a number of ${what}`, { kind: "usage" });
}

function requireLimits(reports: readonly Report[]): void {
  const exceeded = reports.flatMap(findExceeded);
  if (exceeded.length === 0) return;
  throw new BootcError(`too slow: ${exceeded.join("; ")}`, {
    hint: "repeat this on an idle machine before you look for the cause",
  });
}
