// One run of vitest, which leaves a report however it ends.
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BootcError } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { reportOfProgress } from "./progress.ts";

export interface SuiteRun {
  readonly name: string;
  /** Arguments for vitest, except where the report goes. */
  readonly words: readonly string[];
  /** Absolute path of the report, which exists afterwards. */
  readonly report: string;
  /** The run is ended when no test begins or ends for this long. */
  readonly stillMs: number;
}

/** Runs the suite; returns whether it succeeded. A run that dies or is ended also leaves a report. */
export async function runSuite(tree: Tree, run: SuiteRun): Promise<boolean> {
  const { name, report } = run;
  const progress = `${report}.progress`;
  await mkdir(dirname(report), { recursive: true });
  // The report of an earlier run must not stand in for a suite that dies.
  await rm(report, { force: true });
  await writeFile(progress, "");
  const still = endWhenStill(progress, run.stillMs);
  try {
    await runVitest(tree, run, { progress, signal: still.signal });
    return true;
  } catch (error) {
    if (!existsSync(report))
      await writeFile(report, reportOfProgress(await readFile(progress, "utf8")));
    tree.ctx.signal.throwIfAborted();
    // vitest has printed the rest.
    tree.ctx.note(`${name}: ${String(error).split("\n", 1)[0]}`);
    return false;
  } finally {
    still.stop();
    await rm(progress, { force: true });
  }
}

async function runVitest(
  { ctx, top }: Tree,
  { words, report }: SuiteRun,
  { progress, signal }: { readonly progress: string; readonly signal: AbortSignal },
): Promise<void> {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  await ctx.run(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...words],
    { cwd: top, signal, env: { BOOTC_TEST_PROGRESS: progress } },
  );
}

interface Still {
  /** Aborted when nothing has happened for too long. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/** Limits the pause and not the run: a busy machine takes many times longer, a hanging test never ends. */
function endWhenStill(path: string, stillMs: number): Still {
  const controller = new AbortController();
  let size = 0;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = sizeOf(path);
    if (now !== size) [size, since] = [now, performance.now()];
    if (performance.now() - since < stillMs) return;
    clearInterval(timer);
    const minutes = Math.ceil(stillMs / 60_000);
    controller.abort(new BootcError(`ended: no test began or ended within ${minutes} minutes`));
  }, stillMs / 60);
  return { signal: controller.signal, stop: () => clearInterval(timer) };
}

function sizeOf(path: string): number {
  // Nothing: `xtask clean` in the middle of a run.
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
