// Making the source package: again with nothing changed, against an empty target/.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { createReport } from "./figures.ts";
import { type Contender, measure } from "./measure.ts";

export const bench: Bench = {
  async run(tree, { rounds = 2 }) {
    const checkout = join(tree.top, "target", "bench", "checkout");
    await rm(checkout, { recursive: true, force: true });
    await tree.ctx.run("git", ["clone", "--quiet", tree.top, checkout]);
    const program = "node";
    const args = [join(checkout, "xtask", "run.cjs"), "package-srpm"];
    const env = { BOOTC_CACHE: undefined };
    const warm: Contender = { name: "nothing changed", program, args, env };
    const cold: Contender = {
      name: "target/ empty",
      program,
      args,
      env,
      prepare: () => rm(join(checkout, "target"), { recursive: true, force: true }),
    };
    // The very first run installs the dependencies and is not counted.
    await tree.ctx.run(program, args, { env });
    const measured = await measure(tree, [cold, warm], { rounds, warmUps: 0 });
    return [
      createReport(measured, {
        title: "package-srpm",
        baseline: cold.name,
        limits: [{ name: warm.name, ratioMax: 0.2 }],
      }),
    ];
  },
};
