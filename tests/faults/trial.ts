// Tries one step: disturbs the verb, looks at what is left, and runs the verb again.

import { createRandom } from "../repo/images/random.ts";
import { fsck } from "./fsck.ts";
import {
  type Expected,
  judgeDone,
  judgeFailed,
  judgeMessage,
  judgeRerun,
  judgeVisible,
} from "./judge.ts";
import { SCENARIOS } from "./scenarios.ts";
import type { CountedCall } from "./shared.ts";
import type { Run, Stand } from "./stand.ts";
import { howOf, type Step } from "./steps.ts";

export interface Tried extends Step {
  /** How many calls were disturbed; 0 when the verb ended before. */
  readonly fired: number;
  /** The first of them. */
  readonly call: string;
  readonly program: string;
  readonly place: string;
  readonly status: number | null;
  /** What it said last. */
  readonly said: string;
  readonly problems: readonly string[];
  readonly ms: number;
}

export interface Bench {
  readonly stand: Stand;
  readonly expected: Expected;
  /** All calls of the verb when nothing disturbs it. */
  readonly calls: readonly CountedCall[];
}

const UNDISTURBED = { step: 0, errno: 0, isLasting: false };
/** Runs in a row of kills. */
const ROW = 10;

/** Finds out what the verb does when nothing disturbs it. */
export async function openBench(scenario: string, stand: Stand): Promise<Bench> {
  stand.reset();
  const before = stand.facts();
  const { status, stderr, calls } = await stand.run(UNDISTURBED, { isTraced: true });
  if (status !== 0) throw new Error(`${scenario} fails when nothing disturbs it: ${stderr}`);
  const isToggle = SCENARIOS[scenario]?.isToggle === true;
  return { stand, expected: { before, after: stand.facts(), isToggle }, calls };
}

export async function tryStep(bench: Bench, step: Step): Promise<Tried> {
  const startedAt = performance.now();
  bench.stand.reset();
  const { run, fired, problems } = await tryOnce(bench, step);
  const call = run.calls[0];
  const rerun = fired === 0 || step.kind === "stops" ? [] : await runAgain(bench, step);
  return {
    ...step,
    fired,
    call: call?.name ?? "",
    program: call?.program ?? "",
    place: shorten(bench, call?.place ?? ""),
    status: run.status,
    said: step.kind === "stops" ? `${run.views.length} views` : shorten(bench, lastSaid(run)),
    problems: [...problems, ...rerun],
    ms: Math.round(performance.now() - startedAt),
  };
}

async function tryOnce(bench: Bench, step: Step) {
  switch (step.kind) {
    case "kills":
      return await killInARow(bench, step);
    case "stops":
      return await stopEverywhere(bench);
    default:
      return await disturb(bench, step);
  }
}

/** Stops before each call, and judges what SIGKILL would leave there. */
async function stopEverywhere({ stand, expected }: Bench) {
  const run = await stand.run(UNDISTURBED, { isWatched: true });
  const problems = run.views.flatMap(({ before, facts, fsck }) =>
    [...judgeVisible(facts, expected), ...fsck].map((it) => `before call ${before}: ${it}`),
  );
  const failure = run.status === 0 ? [] : [`ended with status ${run.status}`];
  // Otherwise, nothing was really looked at.
  if (run.views.length < 2) failure.push("nothing ever changed");
  return { run, fired: run.count, problems: [...failure, ...problems] };
}

async function disturb(bench: Bench, { kind, number, aim }: Step) {
  const { stand, expected } = bench;
  const { errno, isLasting = false } = howOf(kind);
  const run = await stand.run({ step: number, aim, errno, isLasting });
  if (run.fired === 0) return { run, fired: 0, problems: [] };
  const facts = stand.facts();
  const problems = [
    ...(errno === 0 ? [] : judgeMessage(run, errno)),
    ...judgeVisible(facts, expected),
    ...(run.status === 0 ? judgeDone(facts, expected) : []),
    ...(errno !== 0 && run.status !== 0 ? judgeFailed(facts, expected) : []),
    ...fsckOf(bench),
  ];
  return { run, fired: run.fired, problems };
}

/** Every run is killed at a random call, until one of them ends. */
async function killInARow(bench: Bench, { number }: Step) {
  const random = createRandom(number);
  let fired = 0;
  const problems: string[] = [];
  for (;;) {
    const run = await bench.stand.run({
      step: 1 + random(bench.calls.length),
      errno: 0,
      isLasting: false,
    });
    fired += run.fired;
    problems.push(...judgeVisible(bench.stand.facts(), bench.expected));
    if (run.fired === 0 || fired === ROW) return { run, fired, problems };
  }
}

async function runAgain(bench: Bench, { kind }: Step): Promise<readonly string[]> {
  const { stand, expected } = bench;
  const { status, stdout, stderr } = await stand.run(UNDISTURBED);
  if (status !== 0)
    return [`run again, it ended with ${status}: ${`${stdout}${stderr}`.trim().slice(-800)}`];
  const differences = judgeRerun(stand.facts(), expected).map((it) => `run again: ${it}`);
  return [...differences, ...(kind === "kills" ? fsckOf(bench) : [])];
}

function fsckOf({ stand: { host } }: Bench): readonly string[] {
  return fsck(host.repo, host.version.env);
}

function lastSaid({ stdout, stderr }: Run): string {
  const lines = stderr.match(/^(error|hint): .+$/gm) ?? [];
  return (lines.length > 0 ? lines.join(" / ") : (stdout.trim().split("\n").at(-1) ?? "")).slice(
    0,
    800,
  );
}

function shorten({ stand: { host } }: Bench, text: string): string {
  return text.replaceAll(host.sysroot, "").replaceAll(host.run, "/run");
}
