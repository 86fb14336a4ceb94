// The process of one stand, in a mount namespace of its own: tries the steps that it is asked for.
import type { CountedCall } from "./shared.ts";
import { openStand } from "./stand.ts";
import type { Step } from "./steps.ts";
import { openBench, type Tried, tryStep } from "./trial.ts";

export type Answer =
  | { readonly calls: readonly CountedCall[] }
  | { readonly tried: Tried }
  | { readonly failure: string };

const [scenario = "", executable] = process.argv.slice(2);

const answer = (it: Answer) => void process.send?.(it);

async function main(): Promise<void> {
  const bench = await openBench(scenario, await openStand(scenario, executable));
  process.on("message", (step: Step) => {
    tryStep(bench, step).then(
      (tried) => answer({ tried }),
      (error: Error) => answer({ failure: error.stack ?? error.message }),
    );
  });
  answer({ calls: bench.calls });
}

// Everything that was mounted goes with the process.
process.once("disconnect", () => process.exit(0));
await main().catch((error: Error) => answer({ failure: error.stack ?? error.message }));
