// Declares `system-reinstall-bootc`, a program of its own that starts as another name of this one.
import type { Context } from "../../system/context.ts";
import { type Command, Option } from "../commander.ts";
import { declared } from "../options.ts";

export const REINSTALL = "system-reinstall-bootc";

export function declareReinstall(program: Command, ctx: Context): void {
  program
    .command(REINSTALL, { hidden: true })
    .description("replace the running system by a container image, asking on the way")
    .argument("[image]", "the image; not needed when BOOTC_REINSTALL_CONFIG names a file")
    .addOption(new Option("--composefs-backend", "have the image installed with composefs"))
    .configureHelp({ commandUsage: (command) => `${REINSTALL} ${command.usage()}` })
    .addHelpText(
      "after",
      "\nThe variable BOOTC_REINSTALL_CONFIG may name a YAML file with the keys bootc_image and\n" +
        "composefs_backend. They then count in place of the command line.\n" +
        `\nExamples:\n  ${REINSTALL} quay.io/example/os:latest`,
    )
    .action(async (image, options) => {
      const { systemReinstall } = await import("../../commands/system-reinstall-bootc.ts");
      await systemReinstall(ctx, image, declared(options));
    });
}
