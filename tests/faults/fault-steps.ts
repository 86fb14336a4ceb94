// `xtask fault-steps`: disturbs verbs at each system call that changes a file system, and prints the results.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { formatReport } from "../journal-lines.ts";
import { abortOnSignals, say, writeTo } from "../long-run.ts";
import { startBar } from "../run-bar.ts";
import { appendTried, formatCalls, formatTable, readTried } from "./journal.ts";
import { SCENARIOS } from "./scenarios.ts";
import { type RemoteStand, startStand } from "./stands.ts";
import {
  CHOICES,
  type Choice,
  listSteps,
  nameOf,
  parseStep,
  type Step,
  sampleSteps,
} from "./steps.ts";
import type { Tried } from "./trial.ts";

const TOP = join(import.meta.dirname, "../..");

const { values } = parseArgs({
  options: {
    scenario: { type: "string", multiple: true },
    kind: { type: "string", multiple: true, default: ["kill", "errors"] },
    from: { type: "string", default: "1" },
    count: { type: "string" },
    only: { type: "string" },
    jobs: { type: "string", default: "1" },
    executable: { type: "string", default: "target/bootc" },
    journal: { type: "string", default: "target/faults/journal.jsonl" },
    report: { type: "string" },
  },
});

const interrupt = new AbortController();
function requireOf<T extends string>(what: string, known: readonly T[], names: readonly string[]) {
  const isKnown = (name: string): name is T => known.some((it) => it === name);
  const wrong = names.find((it) => !isKnown(it));
  if (wrong === undefined) return names.filter(isKnown);
  throw new Error(`no ${what} is named \`${wrong}\`: ${known.join(", ")}`);
}

interface Session {
  readonly executable: string;
  readonly digest: string;
  readonly journal: string;
}

/** Returns the results of the chosen steps, up to an interrupt. */
async function tryScenarios(session: Session, scenarios: readonly string[]) {
  const all: Tried[] = [];
  for (const it of scenarios) {
    try {
      all.push(...(await tryScenario(session, it)));
    } catch (error) {
      // Ctrl-C at a terminal ends the stands as well, and they fail.
      if (!interrupt.signal.aborted) throw error;
    }
    if (interrupt.signal.aborted) break;
  }
  return all;
}

/** Returns the results of the chosen steps, with those of earlier runs. */
async function tryScenario(session: Session, scenario: string): Promise<readonly Tried[]> {
  const stand = await startStand(scenario, session.executable);
  const wanted = chooseSteps(scenario, stand.calls.length);
  const done = await readTried(session.journal, session.digest);
  const names = new Set(values.only === undefined ? done.map(nameOf) : []);
  const left = wanted.filter((it) => !names.has(nameOf(it)));
  say(
    `${scenario}: ${left.length} of ${wanted.length} steps to try; it makes ${stand.calls.length} calls`,
  );
  await tryAll(session, { scenario, stand, left });
  const chosen = new Set(wanted.map(nameOf));
  return (await readTried(session.journal, session.digest)).filter((it) => chosen.has(nameOf(it)));
}

function chooseSteps(scenario: string, count: number): readonly Step[] {
  if (values.only !== undefined) return [parseStep(values.only)];
  const from = parseCount("--from", values.from, 0);
  const kinds = requireOf<Choice>("kind", CHOICES, values.kind);
  const steps = listSteps(scenario, kinds, count).filter((it) => it.number >= from);
  return values.count === undefined
    ? steps
    : sampleSteps(steps, parseCount("--count", values.count, 0));
}

interface Work {
  readonly scenario: string;
  readonly stand: RemoteStand;
  readonly left: readonly Step[];
}

/** Neighbors often leave equal disks, which a machine judges once, so that it gets several of them. */
const NEIGHBORS = 25;

/** Several workers take the next steps in turn, each with a machine of its own. */
async function tryAll(session: Session, { scenario, stand: first, left }: Work): Promise<void> {
  const parts = Math.ceil(left.length / NEIGHBORS);
  const queue = Array.from({ length: parts }, (_, i) =>
    left.slice(i * NEIGHBORS, (i + 1) * NEIGHBORS),
  );
  const bar = startBar(left.length);
  const jobs = Math.max(1, Math.min(parseCount("--jobs", values.jobs), parts));
  const worker = async (stand: RemoteStand) => {
    for (let some = queue.shift(); some !== undefined; some = queue.shift()) {
      for (const it of some) {
        const tried = await stand.try(it);
        if (interrupt.signal.aborted) {
          queue.length = 0;
          break;
        }
        await appendTried(session.journal, session.digest, tried);
        bar.count(tried);
        if (tried.problems.length > 0) say(describeFailure(tried));
        if (values.only !== undefined) say(JSON.stringify(tried, undefined, 2));
      }
    }
    await stand.close();
  };
  const others = Array.from({ length: jobs - 1 }, () => startStand(scenario, session.executable));
  try {
    await Promise.all([worker(first), ...others.map(async (it) => await worker(await it))]);
  } finally {
    bar.end();
  }
}

function describeFailure(it: Tried): string {
  return [
    `failed: ${nameOf(it)}: ${it.program}: ${it.call} ${it.place}`,
    ...it.problems.map((problem) => `  ${problem}`),
    `  it said: ${it.said}`,
    `  again: npm run xtask -- fault-steps --only ${nameOf(it)}`,
  ].join("\n");
}

/** A run in which nothing was disturbed would find nothing, whatever is wrong. */
function requireDisturbed(tried: readonly Tried[]): void {
  if (tried.some((it) => it.fired > 0)) return;
  throw new Error("no call was disturbed, so nothing was tried");
}

async function main(): Promise<void> {
  abortOnSignals(interrupt);
  const executable = resolve(TOP, values.executable);
  if (!executable.startsWith(`${TOP}/`)) {
    throw new Error("the machines see only this checkout, so the executable must lie there");
  }
  const hash = createHash("sha256").update(await readFile(executable));
  const journal = resolve(TOP, values.journal);
  const session = { executable, digest: hash.digest("hex").slice(0, 16), journal };
  const asked = values.only === undefined ? values.scenario : [parseStep(values.only).scenario];
  const scenarios = requireOf("scenario", Object.keys(SCENARIOS), asked ?? Object.keys(SCENARIOS));
  const all = await tryScenarios(session, scenarios);
  if (interrupt.signal.aborted) throw new Error("interrupted; run it again to continue");
  requireDisturbed(all);
  if (values.report !== undefined) {
    const results = all.map((it) => ({ name: nameOf(it), problems: it.problems }));
    await writeTo(values.report, formatReport(results, import.meta.filename));
  }
  process.stdout.write(`${formatTable(all)}\n\n${formatCalls(all)}\n`);
  if (all.some((it) => it.problems.length > 0)) process.exitCode = 1;
}

await main();
