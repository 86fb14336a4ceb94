// `xtask clean`: removes what tasks made, and with --all also the cache, which took minutes to fill.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readNamesIfAny } from "../src/system/files.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--all", "also remove the cache")
      .addHelpText("after", "\nExamples:\n  npm run xtask clean\n  npm run xtask -- clean --all"),
  async run({ top }, options) {
    const target = join(top, "target");
    for (const name of await readNamesIfAny(target)) {
      if (name === "cache" && options.all !== true) continue;
      await rm(join(target, name), { recursive: true, force: true });
    }
    return undefined;
  },
});
