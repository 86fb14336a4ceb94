// `xtask power-cuts`: cuts a virtual machine's power during updates, again and again.
import { defineTask } from "./task.ts";

const OPTIONS = ["count", "seed", "mode", "journal", "slot"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--count <number>", "how many cuts; 0 only prints the table", "30")
      .option("--seed <text>", "repeats phases and moments; else the time of day")
      .option("--mode <mode>", "keeps-writes or loses-unflushed; else by chance")
      .option("--journal <path>", "continued by each call", "target/vm/power-cuts.jsonl")
      .option("--slot <number>", "0 to 3: runs at the same time need different ones", "1")
      .addHelpText("after", "\nExamples:\n  npm run xtask -- power-cuts --count 10 --seed 1"),
  async run({ ctx, top }, options) {
    const args = OPTIONS.flatMap((name) =>
      options[name] === undefined ? [] : [`--${name}`, options[name]],
    );
    // The tests are not the product's: this task starts them, and imports nothing of theirs.
    await ctx.run(process.execPath, ["tests/vm/power-cuts.ts", ...args], { cwd: top });
    return undefined;
  },
});
