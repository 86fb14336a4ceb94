// `xtask test`: the test suites, by name.
import type { Command } from "commander";
import { BootcError } from "../src/errors.ts";
import type { Task } from "./task.ts";

/** The suites, in the order they run; the last ones need root and minutes. */
const SUITES = ["unit", "cli", "repo", "packages", "vm"] as const;

export const task: Task = {
  declare: (command: Command) =>
    command
      .argument("[suites...]", `which suites: ${SUITES.join(", ")}; all but vm when none is named`)
      .option("--filter <text>", "only test files whose path contains this")
      .option("--watch", "run again when a file changes")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask test unit\n  npm run xtask -- test repo --filter merge",
      ),
  async run({ ctx, top }, options, words) {
    const suites = words.length > 0 ? words : SUITES.filter((it) => it !== "vm");
    const unknown = suites.filter((it) => !(SUITES as readonly string[]).includes(it));
    if (unknown.length > 0) {
      throw new BootcError(`there is no test suite \`${unknown[0]}\``, {
        kind: "usage",
        hint: `choose from ${SUITES.join(", ")}`,
      });
    }
    await ctx.run(
      process.execPath,
      [
        "node_modules/vitest/vitest.mjs",
        options.watch === true ? "watch" : "run",
        ...suites.map((it) => `--project=${it}`),
        ...(options.filter === undefined ? [] : [String(options.filter)]),
      ],
      { cwd: top, isInteractive: options.watch === true },
    );
    return undefined;
  },
};
