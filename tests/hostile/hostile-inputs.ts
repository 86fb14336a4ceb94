// `xtask hostile-inputs`: lets the executable pull damaged images, and prints the results.
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { formatReport } from "../journal-lines.ts";
import { abortOnSignals, say, writeTo } from "../long-run.ts";
import { type EncapsulatedSeed, makeEncapsulated } from "./encapsulated.ts";
import { goodInput, type Kind, makeInput } from "./inputs.ts";
import { appendTrial, formatTable, type Run, readTrials } from "./journal.ts";
import { runTrial, type Trial } from "./trial.ts";

const TOP = join(import.meta.dirname, "../..");

const { values } = parseArgs({
  options: {
    tars: { type: "string", default: "200" },
    documents: { type: "string", default: "50" },
    seed: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    only: { type: "string" },
    executable: { type: "string", default: "target/bootc" },
    journal: { type: "string", default: "target/hostile/journal.jsonl" },
    summary: { type: "string", default: "target/hostile/summary.json" },
    report: { type: "string" },
  },
});

interface Wanted {
  readonly kind: Kind;
  readonly number: number;
}

const nameOf = ({ kind, number }: Wanted) => `${kind}-${number}`;

interface Session {
  readonly run: Run;
  readonly base: EncapsulatedSeed;
  readonly executable: string;
  /** Where failed inputs are kept. */
  readonly kept: string;
  readonly journal: string;
}

const interrupt = new AbortController();

function parseWanted(): readonly Wanted[] {
  if (values.only !== undefined) {
    const [, kind, number] = /^(tar|document)-(\d+)$/.exec(values.only) ?? [];
    if (kind === undefined) throw new Error(`no input is named \`${values.only}\``);
    return [{ kind: kind as Kind, number: Number(number) }];
  }
  const upTo = (kind: Kind, count: number) =>
    Array.from({ length: count }, (_, i) => ({ kind, number: i + 1 }));
  return [
    ...upTo("document", parseCount("--documents", values.documents, 0)),
    ...upTo("tar", parseCount("--tars", values.tars, 0)),
  ];
}

/** Tries all inputs that are not in the journal yet, by several workers with a folder each. */
async function runAll(session: Session, wanted: readonly Wanted[], jobs: number): Promise<void> {
  const left = [...wanted];
  let count = 0;
  const work = await mkdtemp(join(tmpdir(), "bootc-hostile-"));
  const worker = async (place: string) => {
    for (let it = left.shift(); it !== undefined; it = left.shift()) {
      const trial = await tryOne(session, it, place);
      // Ctrl-C also reaches the program under test, so this trial has no result.
      if (interrupt.signal.aborted) return;
      count++;
      if (count % 100 === 0) say(`${count} of ${wanted.length}`);
      if (trial.problems.length > 0) await keep(session, trial, place);
      await appendTrial(session.journal, session.run, trial);
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, (_, i) => worker(join(work, String(i)))));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function tryOne(session: Session, wanted: Wanted, place: string): Promise<Trial> {
  const { run, base, executable } = session;
  const input = makeInput(run.seed, wanted, base);
  return await runTrial({ executable, place, good: goodInput(base) }, input, wanted.number);
}

/** Copies the image of a failed trial, and says how to repeat the trial. */
async function keep({ run, kept }: Session, trial: Trial, place: string): Promise<void> {
  const folder = join(kept, `${run.seed}-${trial.name}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  await cp(join(place, "image"), folder, { recursive: true });
  say(describeFailure(run, trial, folder));
}

function describeFailure({ seed }: Run, it: Trial, folder: string): string {
  return [
    `failed: ${it.name} (${it.of}: ${it.done.join("; ")})`,
    ...it.problems.map((problem) => `  ${problem}`),
    `  it said: ${it.said}`,
    `  again: npm run xtask -- hostile-inputs --seed ${seed} --only ${it.name}`,
    `  or:    ostree container image pull REPO ostree-unverified-image:oci:${relative(TOP, folder)}:it`,
  ].join("\n");
}

async function openSession(): Promise<Session> {
  const executable = resolve(TOP, values.executable);
  const hash = createHash("sha256").update(await readFile(executable));
  const seed = values.seed ?? new Date().toISOString().slice(0, 10);
  return {
    run: { seed, executable: hash.digest("hex").slice(0, 16) },
    base: await makeEncapsulated(),
    executable,
    kept: join(TOP, "target/hostile/failed"),
    journal: resolve(TOP, values.journal),
  };
}

async function main(): Promise<void> {
  const session = await openSession();
  const { run, journal } = session;
  const wanted = parseWanted();
  const jobs = parseCount("--jobs", values.jobs);
  const isOnce = values.only !== undefined;
  const done = isOnce ? [] : (await readTrials(journal, run)).map((it) => it.name);
  const left = wanted.filter((it) => !done.includes(nameOf(it)));
  say(`${left.length} of ${wanted.length} inputs to do, seed ${run.seed}, ${jobs} at a time`);
  abortOnSignals(interrupt);
  await runAll(session, left, jobs);
  if (interrupt.signal.aborted) throw new Error("interrupted; run it again to carry on");
  const names = wanted.map(nameOf);
  // If an input was repeated, its last trial counts.
  const last = new Map((await readTrials(journal, run)).map((it) => [it.name, it]));
  const trials = names.flatMap((it) => last.get(it) ?? []);
  await finish(run, trials, { isOnce });
}

async function finish(
  run: Run,
  trials: readonly Trial[],
  { isOnce }: { readonly isOnce: boolean },
): Promise<void> {
  const failed = trials.filter((it) => it.problems.length > 0);
  const slowest = trials.toSorted((a, b) => b.ms - a.ms).slice(0, 3);
  const seconds = Math.round(trials.reduce((sum, it) => sum + it.ms, 0) / 1000);
  const summary = { ...run, inputs: trials.length, seconds, failed, slowest };
  await writeTo(values.summary, `${JSON.stringify(summary, undefined, 2)}\n`);
  if (values.report !== undefined) {
    await writeTo(values.report, formatReport(trials, import.meta.filename));
  }
  if (isOnce) for (const it of trials) say(JSON.stringify(it, undefined, 2));
  process.stdout.write(`${formatTable(trials)}\n`);
  for (const it of slowest) say(`slow: ${it.name} (${it.of}), ${it.ms} ms: ${it.said}`);
  say(`${trials.length} inputs, ${failed.length} failed, ${seconds} s of pulls, seed ${run.seed}`);
  if (failed.length > 0) process.exitCode = 1;
}

await main();
