// `xtask runtime`: checks, fetches, packs or verifies the pinned Node for both architectures.
import { BootcError } from "../src/errors.ts";
import { fetchPackage } from "./npm/fetch.ts";
import { describeAvailable, readAvailable } from "./runtime/available.ts";
import { readLockedRuntimes } from "./runtime/locked.ts";
import { packRuntimes } from "./runtime/pack.ts";
import { verifyRuntimes } from "./runtime/verify.ts";
import { defineTask, type Tree } from "./task.ts";

const STEPS: Readonly<Record<string, (tree: Tree) => Promise<string | undefined>>> = {
  check: async (tree) => {
    const [locked] = await readLockedRuntimes(tree.top);
    return describeAvailable(await readAvailable(tree), locked?.version ?? "");
  },
  fetch: async (tree) => {
    for (const runtime of await readLockedRuntimes(tree.top)) {
      tree.ctx.say(await fetchPackage(tree, runtime));
    }
    return undefined;
  },
  pack: async (tree) => (await packRuntimes(tree)).path,
  verify: verifyRuntimes,
};

export const task = defineTask({
  declare: (command) =>
    command
      .argument("<step>", Object.keys(STEPS).join(", "))
      .addHelpText(
        "after",
        [
          "",
          "Steps:",
          "  check   show which versions of Node exist for both architectures, and which one is pinned",
          "  fetch   download the pinned packages, verify them by the lockfile, and print their paths",
          "  pack    put both, without the parts that never run, into one archive in target/",
          "  verify  derive the archive's content from the packages again, and compare",
          "",
          "Examples:",
          "  npm run xtask runtime check",
          "  npm run xtask runtime pack",
        ].join("\n"),
      ),
  async run(tree, _options, [step = ""]) {
    const work = STEPS[step];
    if (work !== undefined) return await work(tree);
    throw new BootcError(`there is no step \`${step}\``, {
      kind: "usage",
      hint: `choose from ${Object.keys(STEPS).join(", ")}`,
    });
  },
});
