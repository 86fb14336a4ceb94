// `xtask bench`: measures, and prints a table for people or JSON for scripts.
import { findExceeded, formatReport, type Report } from "../bench/figures.ts";
import { BootcError } from "../src/errors.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .argument("[names...]", "which benchmarks; all when none is named")
      .option("--rounds <number>", "how often each command is run")
      .option("--layers <number>", "measure with generated images of that many layers alone")
      .option("--against <command>", "pull with another program too, in turn with ours")
      .option("--json", "print figures for scripts")
      .option("--check", "fail when a figure exceeds its limit")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask bench start-up\n  npm run xtask -- bench start-up --json",
      ),
  async run(tree, options, words) {
    // Loaded here because the benchmarks use most of xtask.
    const { BENCHES, GROUPS } = await import("../bench/benches.ts");
    const names =
      words.length > 0 ? words.flatMap((it) => GROUPS[it] ?? [it]) : Object.keys(BENCHES);
    requireKnown(names, [...Object.keys(GROUPS), ...Object.keys(BENCHES)]);
    const chosen = {
      ...(options.rounds === undefined ? {} : { rounds: parseCount("rounds", options.rounds) }),
      ...(options.layers === undefined ? {} : { layers: parseCount("layers", options.layers) }),
      ...(options.against === undefined ? {} : { against: options.against }),
    };
    const reports: Report[] = [];
    for (const name of names) {
      tree.ctx.note(`benchmark ${name}`);
      const made = (await BENCHES[name]?.run(tree, chosen)) ?? [];
      reports.push(...made);
      if (options.json !== true) for (const it of made) tree.ctx.say(`${formatReport(it)}\n`);
    }
    if (options.json === true) tree.ctx.say(JSON.stringify(reports, undefined, 2));
    if (options.check === true) requireLimits(reports);
    return undefined;
  },
});

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
