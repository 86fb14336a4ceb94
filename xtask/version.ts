// `xtask version`: the version of this checkout, as the package carries it.
import { readCheckout } from "./checkout/checkout.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--allow-dirty", "answer despite uncommitted changes, and mark them")
      .addHelpText("after", "\nExamples:\n  npm run xtask version"),
  run: async (tree, options) =>
    (await readCheckout(tree, { allowDirty: options.allowDirty === true })).version,
});
