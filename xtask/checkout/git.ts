// Asks git about the checkout.
import { BootcError } from "../../src/errors.ts";
import type { RunOptions } from "../../src/system/context.ts";
import type { Tree } from "../task.ts";

/** git sets these variables for its hooks; they would lead us to another repository. */
const NO_GIT_ENV = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined };

/** The output of a git command in the checkout. A repository that git does not trust has its own error. */
export async function readGit(
  { ctx, top }: Tree,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const env = { ...NO_GIT_ENV, ...options.env };
  try {
    return (await ctx.read("git", args, { ...options, cwd: top, env })).trimEnd();
  } catch (cause) {
    if (!(cause instanceof Error) || !cause.message.includes("dubious ownership")) throw cause;
    throw new BootcError(`git does not trust \`${top}\`, which belongs to another user`, {
      hint: `run \`git config --global --add safe.directory ${top}\``,
    });
  }
}
