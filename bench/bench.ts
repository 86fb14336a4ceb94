// The interface of a benchmark, as `xtask bench` runs it.
import type { Tree } from "../xtask/task.ts";
import type { Report } from "./figures.ts";

export interface BenchOptions {
  /** How often each contender is run; by default, the benchmark's own choice. */
  readonly rounds?: number;
  /** Restricts a benchmark that compares several images to the one with this many layers. */
  readonly layers?: number;
}

/** Each file named after a benchmark exports one as `bench`. */
export interface Bench {
  readonly run: (tree: Tree, options: BenchOptions) => Promise<readonly Report[]>;
}
