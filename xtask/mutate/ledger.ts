// The verdicts so far, one a line: a run that was interrupted goes on where it was.
import { createHash } from "node:crypto";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readFileIfAny } from "../../src/system/files.ts";
import type { Tree } from "../task.ts";
import { type Baseline, readTexts, type Verdict } from "./judge.ts";
import { type Mutant, mutantKey } from "./mutants.ts";

export interface Ledger {
  readonly known: ReadonlyMap<string, Verdict>;
  add(mutant: Mutant, verdict: Verdict): Promise<void>;
}

/** Verdicts on another state of the file or of its tests are forgotten. */
export async function openLedger(tree: Tree, baseline: Baseline): Promise<Ledger> {
  const path = join(tree.top, "target/mutants", `${baseline.path}.jsonl`);
  const hash = createHash("sha256");
  for (const text of await readTexts(tree, baseline)) hash.update(text).update("\0");
  const state = JSON.stringify({ state: hash.digest("hex") });
  const [first, ...lines] = ((await readFileIfAny(path)) ?? "").split("\n");
  const known = first === state ? parseVerdicts(lines) : new Map<string, Verdict>();
  if (first !== state) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${state}\n`);
  }
  return {
    known,
    add: (mutant, verdict) => appendFile(path, `${JSON.stringify([mutantKey(mutant), verdict])}\n`),
  };
}

function parseVerdicts(lines: readonly string[]): Map<string, Verdict> {
  // The last line of a run that was killed may be half a line; it is judged again.
  const whole = lines.filter((it) => it.endsWith("]"));
  return new Map(whole.map((it) => JSON.parse(it) as [string, Verdict]));
}
