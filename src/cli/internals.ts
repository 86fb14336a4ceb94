// Commands for scripts, units and other programs; hidden from the overview.
import { Argument, type Command } from "commander";
import type { Context } from "../system/context.ts";
import { declareBootInternals } from "./internals-boot.ts";
import { declareHostInternals } from "./internals-host.ts";
import { declareOstreeContainer, lockTimeoutOption } from "./ostree-container.ts";

/** The shells a completion script can be made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export function declareInternalCommands(program: Command, ctx: Context): void {
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", "\nExamples:\n  bootc completion bash > /etc/bash_completion.d/bootc")
    .action(async (shell) => {
      const { completion } = await import("../commands/completion.ts");
      await completion(ctx, program, shell);
    });
  const internals = program
    .command("internals", { hidden: true })
    .description("commands for units, installers and other programs; not for people");
  declareBootInternals(internals, ctx);
  declareCare(internals, ctx);
  declareOstreeContainer(internals, ctx, "ostree-container");
  const ext = internals
    .command("ostree-ext")
    .description("what other programs call ostree's extension");
  declareOstreeContainer(ext, ctx, "container");
  declareHostInternals(internals, ctx);
}

function declareCare(internals: Command, ctx: Context): void {
  internals
    .command("cleanup")
    .description("remove images, layers and downloads that nothing on this host needs")
    .addOption(lockTimeoutOption())
    .addHelpText("after", "\nExamples:\n  bootc internals cleanup")
    .action(async (options) => {
      const { cleanup } = await import("../commands/internals/cleanup.ts");
      await cleanup(ctx, options);
    });
  internals
    .command("fsck")
    .description("look for damage that earlier versions are known to have left")
    .addHelpText("after", "\nExamples:\n  bootc internals fsck")
    .action(async () => {
      const { fsck } = await import("../commands/internals/fsck.ts");
      await fsck(ctx);
    });
}
