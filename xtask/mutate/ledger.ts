// Keeps the verdicts so far, one per line, so that an interrupted run can be continued.
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

/** Drops verdicts that were reached with another version of the file or of its tests. */
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
  // A killed run may leave half a line at the end; that mutant is judged again.
  const whole = lines.filter((it) => it.endsWith("]"));
  return new Map(whole.map((it) => JSON.parse(it) as [string, Verdict]));
}
