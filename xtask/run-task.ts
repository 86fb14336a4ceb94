// One task using another, by name and with the options it has on the command line.
import { Command } from "../src/cli/commander.ts";
import { BootcError, doing } from "../src/errors.ts";
import type { Tree } from "./task.ts";

/** What the task answers: by custom the path of what it made, relative to the checkout. */
export async function runTask(
  tree: Tree,
  name: string,
  argv: readonly string[] = [],
): Promise<string> {
  // Not at the top: the list of tasks names the task that calls this.
  const { TASKS } = await import("./main.ts");
  const load = TASKS[name]?.[1];
  const task = load === undefined ? undefined : (await load()).task;
  if (task === undefined || "verbs" in task) throw new Error(`unreachable: no task ${name}`);
  const command = new Command(name).exitOverride();
  task.declare?.(command);
  command.parse([...argv], { from: "user" });
  const answer = await doing(`\`xtask ${[name, ...argv].join(" ")}\``, () =>
    task.run(tree, command.opts(), command.args),
  );
  if (answer !== undefined) return answer;
  throw new BootcError(`task \`${name}\` made nothing`);
}
