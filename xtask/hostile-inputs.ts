// `xtask hostile-inputs`: lets the executable pull damaged layers and documents, and judges each result.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../src/errors.ts";
import { readFileIfAny } from "../src/system/files.ts";
import { buildHere } from "./build.ts";
import { ensurePrograms } from "./checks/requirements.ts";
import { reportPath } from "./suites/counts.ts";
import { defineTask, type Tree } from "./task.ts";

const PASSED_ON = ["tars", "documents", "seed", "jobs", "only", "journal"] as const;
const SUMMARY = "target/hostile/summary.json";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--tars <number>", "how many damaged layers", "200")
      .option("--documents <number>", "how many damaged manifests, configurations and so on", "50")
      .option("--seed <text>", "repeats the inputs; the date by default")
      .option("--jobs <number>", "how many at a time; one for each processor by default")
      .option("--only <name>", "only the input with this name, such as tar-17")
      .option("--executable <file>", "the program; by default, this checkout's is built and used")
      .option(
        "--journal <path>",
        "continues after the results of the same seed in this file",
        "target/hostile/journal.jsonl",
      )
      .option("--json", "print figures for scripts")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask -- hostile-inputs --tars 2000 --documents 500 --seed 1\n" +
          "  npm run xtask -- hostile-inputs --seed 1 --only tar-17",
      ),
  async run(tree, options) {
    if (process.getuid?.() !== 0) {
      throw new BootcError("pulling images into test repositories needs root", {
        kind: "unsupported",
        hint: "run this as root",
      });
    }
    await ensurePrograms(tree, ["ostree", "skopeo"]);
    const executable = options.executable ?? (await buildHere(tree));
    const isAll = options.only === undefined;
    const report = reportPath(tree, "hostile-inputs");
    // Otherwise, a run that dies would be judged by the results of an earlier one.
    for (const it of [join(tree.top, SUMMARY), ...(isAll ? [report] : [])]) {
      await rm(it, { force: true });
    }
    const words = ["--executable", executable, "--summary", SUMMARY];
    try {
      await runInputs(tree, options, isAll ? [...words, "--report", report] : words);
    } finally {
      const summary = await readFileIfAny(join(tree.top, SUMMARY));
      if (options.json === true && summary !== undefined) tree.ctx.say(summary.trimEnd());
    }
    return undefined;
  },
});

async function runInputs(
  { ctx, top }: Tree,
  options: Readonly<Partial<Record<(typeof PASSED_ON)[number], string>>>,
  words: readonly string[],
): Promise<void> {
  const more = PASSED_ON.flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  // Tests are not part of the product, so this task starts them and imports nothing from them.
  await ctx.run(process.execPath, ["tests/hostile/hostile-inputs.ts", ...words, ...more], {
    cwd: top,
  });
}
