// `bootc completion`: print a script with which a shell completes our commands and options.
import type { AnyCommand } from "../cli/commander.ts";
import { formatBashCompletion } from "../cli/completion/bash.ts";
import { formatElvishCompletion } from "../cli/completion/elvish.ts";
import { formatFishCompletion } from "../cli/completion/fish.ts";
import { formatPowershellCompletion } from "../cli/completion/powershell.ts";
import { formatZshCompletion } from "../cli/completion/zsh.ts";
import { readCommandTree } from "../cli/tree.ts";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";

export async function completion(ctx: Context, program: AnyCommand, shell: string): Promise<void> {
  ctx.say(formatCompletion(program, shell).trimEnd());
}

/** The completion script for `shell`; an unknown shell is a usage error. */
export function formatCompletion(program: AnyCommand, shell: string): string {
  const tree = readCommandTree(program);
  switch (shell) {
    case "bash":
      return formatBashCompletion(tree);
    case "zsh":
      return formatZshCompletion(tree);
    case "fish":
      return formatFishCompletion(tree);
    case "elvish":
      return formatElvishCompletion(tree);
    case "powershell":
      return formatPowershellCompletion(tree);
    default:
      throw new BootcError(`there is no completion script for \`${shell}\``, {
        kind: "usage",
        hint: "choose from bash, zsh, fish, elvish, powershell",
      });
  }
}
