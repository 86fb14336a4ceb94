// One run of vitest up to a report, whichever way it ends.
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BootcError } from "../../src/errors.ts";
import type { Tree } from "../task.ts";
import { reportOfProgress } from "./progress.ts";

export interface SuiteRun {
  readonly name: string;
  /** What vitest is told besides where the report goes. */
  readonly words: readonly string[];
  /** Absolute path of the report, which is there afterwards. */
  readonly report: string;
  /** How long no test may begin or end before the run is ended. */
  readonly stillMs: number;
}

/** Runs it; whether it succeeded. One that is ended, or dies, gets a report of what it came to. */
export async function runSuite(tree: Tree, run: SuiteRun): Promise<boolean> {
  const { name, report } = run;
  const progress = `${report}.progress`;
  await mkdir(dirname(report), { recursive: true });
  // A suite that dies must not be judged by the report of an earlier run.
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
    // vitest has told the rest.
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
  /** Aborted once nothing happened for long enough. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

/** A machine with much else to do takes many times as long; what hangs has tests that do not end. */
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
