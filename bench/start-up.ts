// How long a verb takes to answer, against the bare runtime running an empty script.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "../xtask/build.ts";
import { isArchitecture } from "../xtask/runtime/locked.ts";
import type { Tree } from "../xtask/task.ts";
import type { Bench } from "./bench.ts";
import { createReport } from "./figures.ts";
import { type Contender, FLOOR, measure } from "./measure.ts";

/** The verbs to start, with the largest ratio to the bare runtime's time. */
const VERBS: readonly (readonly [words: string, ratioMax: number])[] = [
  ["--version", 1.6],
  ["--help", 2.2],
  ["status", 2.2],
  ["status --format json", 2.2],
  ["status --help", 2.2],
  ["completion bash", 2.2],
];

export const bench: Bench = {
  async run(tree, { rounds = 40 }) {
    const program = await buildHere(tree);
    const runtime = await bareRuntime(tree);
    const verbs = VERBS.map(([words]) => ({
      name: `bootc ${words}`,
      program,
      args: words.split(" "),
    }));
    const measured = await measure(tree, [FLOOR, runtime, ...verbs], { rounds, warmUps: 2 });
    const limits = VERBS.map(([words, ratioMax]) => ({ name: `bootc ${words}`, ratioMax }));
    const names = { baseline: runtime.name, floor: FLOOR.name };
    return [createReport(measured, { title: "Start-up", ...names, limits })];
  },
};

/** The unmodified pinned Node running an empty script. */
export async function bareRuntime({ top }: Tree): Promise<Contender> {
  await mkdir(join(top, "target"), { recursive: true });
  const script = join(top, "target", "empty.cjs");
  await writeFile(script, "");
  return { name: "runtime, empty script", program: process.execPath, args: [script] };
}

/** Builds the executable from these sources and returns its path. */
export async function buildHere(tree: Tree): Promise<string> {
  const architecture = isArchitecture(process.arch) ? process.arch : "x64";
  const out = join(tree.top, "target", "bench", "bootc");
  const program = await build(tree, { architecture, engine: "injector", out });
  await forgetPages(tree, program);
  return program;
}

/**
 * Has the kernel read the file from the disk, as after a boot. It keeps a large file that was just written
 * in pieces of 2 MiB, and counts such a piece as memory of the process for each byte in use: 20 to 30 MiB.
 */
async function forgetPages({ ctx }: Tree, path: string): Promise<void> {
  await ctx.run("sync", [path]);
  await ctx.run("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}
