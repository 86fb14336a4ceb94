// `xtask early-functions`: records which functions short commands use, which builds then compile early.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EARLY_FUNCTIONS } from "./build/bundle.ts";
import { defineTask } from "./task.ts";

const HELP = `
It runs \`--version\`, a pull, and on a host \`status\`, \`upgrade\` and \`updates run\`, where nothing is
new, against a registry and a host of its own.
Run it when these commands have changed, and commit the list.

Examples:
  npm run xtask early-functions`;

export const task = defineTask({
  declare: (command) => command.addHelpText("after", HELP),
  async run(tree) {
    // Loaded here because the benchmarks use most of xtask.
    const { recordEarlyFunctions } = await import("../bench/pulls/early-functions.ts");
    const lines = await recordEarlyFunctions(tree);
    await writeFile(join(tree.top, EARLY_FUNCTIONS), `${lines.join("\n")}\n`);
    return EARLY_FUNCTIONS;
  },
});
