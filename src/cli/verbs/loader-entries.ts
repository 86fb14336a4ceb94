// Declares the verbs that change the boot loader's entries.
import type { Context } from "../../system/context.ts";
import type { Command } from "../commander.ts";
import { declared, jsonOption, lockTimeoutOption } from "../options.ts";

export function declareLoaderEntries(program: Command, ctx: Context): void {
  program
    .command("loader-entries")
    .description("change the boot loader's entries")
    .command("set-options-for-source")
    .description("set the kernel arguments that one program owns, from the next boot on")
    .requiredOption("--source <name>", "the owner: letters, digits, `-` and `_`")
    .option(
      "--options <arguments>",
      "all arguments that the source owns from now on; none when this is left out",
    )
    .addOption(lockTimeoutOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n" +
        '  bootc loader-entries set-options-for-source --source tuned --options "isolcpus=1 nohz=on"\n' +
        "  bootc loader-entries set-options-for-source --source tuned",
    )
    .action(async (options) => {
      const command = await import("../../commands/loader-entries/set-options-for-source.ts");
      await command.setOptionsForSource(ctx, declared(options));
    });
}
