// What a task is: options it declares, and a function from the checkout to an answer.
import type { Command } from "../src/cli/commander.ts";
import type { Context } from "../src/system/context.ts";

/** Several verbs under the name of one task: `xtask copr build`. */
export interface TaskGroup {
  readonly verbs: Readonly<Record<string, Task & { readonly about: string }>>;
}

/** What a task file exports as `task`. */
export interface Task {
  /** Declares arguments, options and examples. */
  readonly declare?: (command: Command) => void;
  /**
   * Does the work. `words` are the positional arguments. What it returns goes to standard output,
   * by custom the path of what was made, relative to the checkout; everything else to standard error.
   */
  readonly run: (
    tree: Tree,
    options: TaskOptions,
    words: readonly string[],
  ) => Promise<string | undefined>;
}

/** The options as commander parsed them; each task narrows what it declared. */
export type TaskOptions = Readonly<Record<string, unknown>>;

/** Where a task works. */
export interface Tree {
  readonly ctx: Context;
  /** Absolute path of the checkout. */
  readonly top: string;
  /** Install missing system programs without asking: `--yes`, or CI=true. */
  readonly mayInstall: boolean;
}
