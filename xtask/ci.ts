// `xtask ci`: what has to be true of every commit, in one go; the workflows call the same.
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--quick", "without the suites that need root and minutes")
      .addHelpText("after", "\nExamples:\n  npm run xtask -- ci --quick"),
  async run(tree, options) {
    const steps = [await import("./lint.ts"), await import("./test.ts")];
    const suites = options.quick === true ? ["unit", "cli"] : [];
    for (const { task: step } of steps) await step.run(tree, {}, suites);
    return undefined;
  },
});
