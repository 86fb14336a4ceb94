// Declares the verbs for automatic updates.
import type { Context } from "../system/context.ts";
import type { Command } from "./commander.ts";
import { declared } from "./options.ts";

export function declareUpdatesCommands(program: Command, ctx: Context): void {
  const updates = program
    .command("updates")
    .description("look at and steer the automatic updates of this host");
  declareConfig(updates, ctx);
}

function declareConfig(updates: Command, ctx: Context): void {
  updates
    .command("config")
    .description("show the settings of automatic updates, and where each of them comes from")
    .option("--json", "print one JSON document, or one error object")
    .addHelpText("after", "\nExamples:\n  bootc updates config")
    .action(async (options) => {
      const { updatesConfig } = await import("../commands/updates/config.ts");
      await updatesConfig(ctx, declared(options));
    });
}
