// Tries one step: disturbs the verb, looks at what is left, and runs the verb again.

import { createRandom } from "../repo/images/random.ts";
import type { Facts } from "./facts.ts";
import { fsck } from "./fsck.ts";
import {
  type Expected,
  hasEntriesOf,
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
  /** An earlier step had left an equal disk, from which the verb was run again. */
  readonly isRepeated: boolean;
  readonly problems: readonly string[];
  readonly ms: number;
}

/** What is known of a disk. */
interface Disk {
  readonly facts: Facts;
  fsck?: readonly string[];
  /** What was wrong after the verb had been run again from there. */
  rerun?: readonly string[];
}

export interface Bench {
  readonly stand: Stand;
  readonly expected: Expected;
  /** All calls of the verb when nothing disturbs it. */
  readonly calls: readonly CountedCall[];
  /** Disks that were judged, by their imprints. */
  readonly known: Map<string, Disk>;
}

const UNDISTURBED = { step: 0, errno: 0, isLasting: false };
/** Kills in a row. */
const ROW = 8;

/** Finds out what the verb does when nothing disturbs it. */
export async function openBench(scenario: string, stand: Stand): Promise<Bench> {
  stand.reset();
  const before = stand.facts();
  const { status, stderr, calls } = await stand.run(UNDISTURBED, { isTraced: true });
  if (status !== 0) throw new Error(`${scenario} fails when nothing disturbs it: ${stderr}`);
  const { isToggle = false, isRepeatable = false } = SCENARIOS[scenario] ?? {};
  const expected = { before, after: stand.facts(), isToggle };
  const twice = isRepeatable ? { twice: await repeat(stand) } : {};
  return { stand, expected: { ...expected, ...twice }, calls, known: new Map() };
}

async function repeat(stand: Stand): Promise<Facts> {
  await stand.run(UNDISTURBED);
  return stand.facts();
}

export async function tryStep(bench: Bench, step: Step): Promise<Tried> {
  const startedAt = performance.now();
  bench.stand.reset();
  const { run, fired, disk, problems } = await tryOnce(bench, step);
  const call = run.calls[0];
  const isRepeated = disk?.rerun !== undefined;
  const rerun = disk === undefined ? [] : await runAgain(bench, disk);
  return {
    ...step,
    fired,
    call: call?.name ?? "",
    program: call?.program ?? "",
    place: shorten(bench, call?.place ?? ""),
    status: run.status,
    said: step.kind === "stops" ? `${run.views.length} views` : shorten(bench, lastSaid(run)),
    isRepeated,
    problems: [...problems, ...rerun],
    ms: Math.round(performance.now() - startedAt),
  };
}

interface Tries {
  readonly run: Run;
  readonly fired: number;
  /** What is left, if the verb is to be run again from there. */
  readonly disk?: Disk;
  readonly problems: readonly string[];
}

async function tryOnce(bench: Bench, step: Step): Promise<Tries> {
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
async function stopEverywhere({ stand, expected }: Bench): Promise<Tries> {
  const run = await stand.run(UNDISTURBED, { isWatched: true });
  const problems = run.views.flatMap(({ before, facts, fsck }) =>
    [...judgeVisible(facts, expected), ...fsck].map((it) => `before call ${before}: ${it}`),
  );
  const failure = run.status === 0 ? [] : [`ended with status ${run.status}`];
  // Otherwise, nothing was really looked at.
  if (run.views.length < 2) failure.push("nothing ever changed");
  return { run, fired: run.count, problems: [...failure, ...problems] };
}

async function disturb(bench: Bench, { kind, number, aim }: Step): Promise<Tries> {
  const { stand, expected } = bench;
  const { errno, isLasting = false } = howOf(kind);
  const run = await stand.run({ step: number, aim, errno, isLasting });
  if (run.fired === 0) return { run, fired: 0, problems: [] };
  const disk = look(bench);
  const { facts } = disk;
  const problems = [
    ...(errno === 0 ? [] : judgeMessage(run, errno)),
    ...judgeVisible(facts, expected),
    ...(run.status === 0 ? judgeDone(facts, expected, run) : []),
    ...(errno !== 0 && run.status !== 0 ? judgeFailed(facts, expected) : []),
    ...fsckOf(bench, disk),
  ];
  return { run, fired: run.fired, disk, problems };
}

/** Kills the verb at the call, and its next runs at random calls, until one ends or would do it twice. */
async function killInARow(bench: Bench, { number }: Step): Promise<Tries> {
  const { stand, expected } = bench;
  const random = createRandom(number);
  let fired = 0;
  const problems: string[] = [];
  for (let step = number; ; step = 1 + random(bench.calls.length)) {
    const run = await stand.run({ step, errno: 0, isLasting: false });
    fired += run.fired;
    if (fired === 0) return { run, fired, problems };
    const disk = look(bench);
    problems.push(...judgeVisible(disk.facts, expected));
    const isRepeated = expected.twice !== undefined && hasEntriesOf(disk.facts, expected.after);
    if (run.fired === 0 || fired === ROW || isRepeated) return { run, fired, disk, problems };
  }
}

/** From equal disks, it does the same, so it is run once from each. */
async function runAgain(bench: Bench, disk: Disk): Promise<readonly string[]> {
  disk.rerun ??= await judgeNextRun(bench, disk.facts);
  return disk.rerun;
}

async function judgeNextRun(bench: Bench, left: Facts): Promise<readonly string[]> {
  const { stand, expected } = bench;
  const { status, stdout, stderr } = await stand.run(UNDISTURBED);
  if (status !== 0)
    return [`run again, it ended with ${status}: ${`${stdout}${stderr}`.trim().slice(-800)}`];
  const disk = look(bench);
  const differences = judgeRerun(disk.facts, expected, left).map((it) => `run again: ${it}`);
  return [...differences, ...fsckOf(bench, disk)];
}

/** The disk as it is now. */
function look({ stand, known }: Bench): Disk {
  const imprint = stand.imprint();
  const disk = known.get(imprint) ?? { facts: stand.facts() };
  known.set(imprint, disk);
  return disk;
}

/** Of the disk, which must be as it was when it was looked at. */
function fsckOf({ stand: { host } }: Bench, disk: Disk): readonly string[] {
  disk.fsck ??= fsck(host.repo, host.version.env);
  return disk.fsck;
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
