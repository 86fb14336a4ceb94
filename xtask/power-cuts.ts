// `xtask power-cuts`: cuts a virtual machine's power during updates, again and again.
import { defineTask } from "./task.ts";

const OPTIONS = ["count", "seed", "mode", "phase", "journal", "slot", "cell"] as const;

export const task = defineTask({
  declare: (command) =>
    command
      .option("--count <number>", "how many cuts; with 0, only print the table", "30")
      .option("--seed <text>", "repeats phases and moments; the time of day by default")
      .option("--mode <mode>", "keeps-writes or loses-unflushed; random by default")
      .option("--phase <phase>", "pull, import, stage, finalize or first-boot; random by default")
      .option(
        "--journal <path>",
        "file of results, which each run continues",
        "target/vm/power-cuts.jsonl",
      )
      .option("--cell <name>", "cut a machine with EFI, one of tests/vm/uefi/cells.ts")
      .option("--continue", "go on with the disk of the last run, without another installation")
      .option("--slot <number>", "0 to 6; simultaneous runs need different ones", "1")
      .addHelpText("after", "\nExamples:\n  npm run xtask -- power-cuts --count 10 --seed 1"),
  async run({ ctx, top }, options) {
    const args = OPTIONS.flatMap((name) =>
      options[name] === undefined ? [] : [`--${name}`, options[name]],
    );
    if (options.continue === true) args.push("--continue");
    // Tests are not part of the product, so this task starts them and imports nothing from them.
    await ctx.run(process.execPath, ["tests/vm/power-cuts.ts", ...args], { cwd: top });
    return undefined;
  },
});
