// The source RPM of this checkout, made by the task that makes it for everybody.
import { resolve } from "node:path";
import { runTask } from "../run-task.ts";
import type { Tree } from "../task.ts";

export async function makeSourceRpm(tree: Tree): Promise<string> {
  return resolve(tree.top, await runTask(tree, "package-srpm"));
}
