// The verbs that look at and change the booted host.
import { type Command, Option } from "commander";
import type { Context } from "../system/context.ts";

export function declareHostCommands(program: Command, ctx: Context): void {
  declareStatus(program, ctx);
}

function declareStatus(program: Command, ctx: Context): void {
  program
    .command("status")
    .description("show what this host runs, what it will run next, and what it can go back to")
    .addOption(
      new Option("--format <format>", "how to print it").choices(["humanreadable", "yaml", "json"]),
    )
    .addOption(new Option("--json", "same as --format json").hideHelp())
    .option("--format-version <number>", "version of the document; 0 and 1 are the same")
    .option("--booted", "show the booted deployment alone")
    .option("-v, --verbose", "show more of each deployment")
    .addHelpText(
      "after",
      "\nExamples:\n  bootc status\n  bootc status --format json | jq .status.booted",
    )
    .action(async (options) => {
      const { status } = await import("../commands/status.ts");
      await status(ctx, options);
    });
}
