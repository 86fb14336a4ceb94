// `xtask package`: packs the source of the commit that is checked out.
import { readCheckout } from "./checkout/checkout.ts";
import { packSource } from "./rpm/sources.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--allow-dirty", "include uncommitted changes, and mark the version")
      .addHelpText(
        "after",
        "\nExamples:\n  npm run xtask package\n  npm run xtask -- package --allow-dirty",
      ),
  async run(tree, options) {
    const checkout = await readCheckout(tree, { allowDirty: options.allowDirty === true });
    return await packSource(tree, checkout);
  },
});
