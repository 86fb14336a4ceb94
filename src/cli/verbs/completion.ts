// `bootc completion`, which reads all other declarations.
import type { Context } from "../../system/context.ts";
import { Argument, type Command } from "../commander.ts";

/** The shells that have a completion script. */
export const SHELLS = ["bash", "zsh", "fish", "elvish", "powershell"] as const;

export function declareCompletion(program: Command, ctx: Context): void {
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", "\nExamples:\n  bootc completion bash > /etc/bash_completion.d/bootc")
    .action(async (shell) => {
      const { completion } = await import("../../commands/completion.ts");
      await completion(ctx, program, shell);
    });
}
