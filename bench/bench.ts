// The interface of a benchmark, as `xtask bench` runs it.
import type { Tree } from "../xtask/task.ts";
import type { Report } from "./figures.ts";

export interface BenchOptions {
  /** How often each contender is run; by default, the benchmark's own choice. */
  readonly rounds?: number;
  /** Restricts a benchmark that compares several images to the one with this many layers. */
  readonly layers?: number;
  /** Another program with the command line of our pulls, which is measured beside ours. */
  readonly against?: string;
}

export interface Bench {
  readonly run: (tree: Tree, options: BenchOptions) => Promise<readonly Report[]>;
}
