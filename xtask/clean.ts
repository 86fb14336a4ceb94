// `xtask clean`: removes what was made; what was downloaded or took minutes stays unless --all.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readNamesIfAny } from "../src/system/files.ts";
import { defineTask } from "./task.ts";

export const task = defineTask({
  declare: (command) =>
    command
      .option("--all", "also what is kept between runs")
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
