// Declares the commands that the health gate's script asks.
import type { Context } from "../../system/context.ts";
import { type Command, InvalidArgumentError, Option } from "../commander.ts";
import { declared } from "../options.ts";

export function declareHealthInternals(internals: Command, ctx: Context): void {
  internals
    .command("health-check")
    .description("find out whether this system is healthy, as the settings and the checks say")
    .addOption(
      new Option("--limit <seconds>", "when it has to be known").argParser((text): number => {
        if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
        throw new InvalidArgumentError("not a number of seconds");
      }),
    )
    .addHelpText("after", "\nExamples:\n  bootc internals health-check")
    .action(async (options) => {
      const { healthCheck } = await import("../../commands/internals/health.ts");
      await healthCheck(ctx, declared(options));
    });
  internals
    .command("health-report")
    .description("remember how the trial of a new system ended")
    .addOption(
      new Option("--verdict <verdict>", "on the system that runs now")
        .choices(["good", "bad"])
        .makeOptionMandatory(),
    )
    .option("--proved", "it was on trial")
    .action(async (options) => {
      const { healthReport } = await import("../../commands/internals/health.ts");
      await healthReport(ctx, declared(options));
    });
  internals
    .command("health-settings")
    .description("print the settings for a trial")
    .option("--root <dir>", "the root directory of another system")
    .action(async (options) => {
      const { healthSettings } = await import("../../commands/internals/health.ts");
      await healthSettings(ctx, declared(options));
    });
}
