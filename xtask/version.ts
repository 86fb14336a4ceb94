// `xtask version`: the version of this checkout, as the package carries it.
import type { Command } from "../src/cli/commander.ts";
import { readCheckout } from "./checkout/checkout.ts";
import type { Task } from "./task.ts";

export const task: Task = {
  declare: (command: Command) =>
    command
      .option("--allow-dirty", "answer despite uncommitted changes, and mark them")
      .addHelpText("after", "\nExamples:\n  npm run xtask version"),
  run: async (tree, options) =>
    (await readCheckout(tree, { allowDirty: options.allowDirty === true })).version,
};
