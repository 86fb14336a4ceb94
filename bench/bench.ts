// What a benchmark is, as `xtask bench` runs it.
import type { Tree } from "../xtask/task.ts";
import type { Report } from "./figures.ts";

export interface BenchOptions {
  /** How often each contender is run; the benchmark's own choice when not given. */
  readonly rounds?: number;
  /** Images of that many layers alone, where a benchmark compares several. */
  readonly layers?: number;
}

/** What each file named after a benchmark exports as `bench`. */
export interface Bench {
  readonly run: (tree: Tree, options: BenchOptions) => Promise<readonly Report[]>;
}
