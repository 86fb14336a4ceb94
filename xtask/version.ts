// `xtask version`: prints the version of this checkout, as the package has it.
import { readCheckout } from "./checkout/checkout.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--allow-dirty", "accept uncommitted changes, and mark the version")
      .addHelpText("after", "\nExamples:\n  npm run xtask version"),
  run: async (tree, options) =>
    (await readCheckout(tree, { allowDirty: options.allowDirty === true })).version,
});
