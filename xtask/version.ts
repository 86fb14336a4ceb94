// `xtask version`: the version of this checkout, as the package carries it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Task } from "./task.ts";

export const task: Task = {
  run: async ({ top }) =>
    (JSON.parse(await readFile(join(top, "package.json"), "utf8")) as { version: string }).version,
};
