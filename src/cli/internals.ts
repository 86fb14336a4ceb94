// Commands for scripts, units and other programs; hidden from the overview.
import { Argument, type Command } from "commander";
import type { Context } from "../system/context.ts";
import { declareBootInternals } from "./internals-boot.ts";
import { declareHostInternals } from "./internals-host.ts";
import { declareOstreeContainer } from "./ostree-container.ts";

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
  declareOstreeContainer(internals, ctx, "ostree-container");
  const ext = internals
    .command("ostree-ext")
    .description("what other programs call ostree's extension");
  declareOstreeContainer(ext, ctx, "container");
  declareHostInternals(internals, ctx);
}
