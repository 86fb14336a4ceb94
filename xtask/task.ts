// What a task is: options it declares, and a function from the checkout to an answer.
import type { Command, CommandOf, OptionValues } from "../src/cli/commander.ts";
import type { Context } from "../src/system/context.ts";

/** Several verbs under the name of one task: `xtask copr build`. */
export interface TaskGroup {
  readonly verbs: Readonly<Record<string, Task & { readonly about: string }>>;
}

/** What a task file exports as `task`. */
export interface Task<Options extends OptionValues = TaskOptions> {
  /** Declares arguments, options and examples. */
  declare(command: Command): unknown;
  /**
   * Does the work. `words` are the positional arguments. What it returns goes to standard output,
   * by custom the path of what was made, relative to the checkout; everything else to standard error.
   */
  run(tree: Tree, options: Options, words: readonly string[]): Promise<string | undefined>;
}

/** The options of any task, as commander parsed them. */
type TaskOptions = Readonly<Record<string, unknown>>;

/** A task whose `run` gets the options that `declare` declares, by their names and types. */
export function defineTask<Args extends unknown[], Options extends OptionValues>(task: {
  readonly declare: (command: Command) => CommandOf<Args, Options>;
  readonly run: (
    tree: Tree,
    options: Options,
    words: readonly string[],
  ) => Promise<string | undefined>;
}): Task<Options> {
  return task;
}

/** Where a task works. */
export interface Tree {
  readonly ctx: Context;
  /** Absolute path of the checkout. */
  readonly top: string;
  /** Install missing system programs without asking: `--yes`, or CI=true. */
  readonly mayInstall: boolean;
}
