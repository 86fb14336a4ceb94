// `xtask crash-states`: judges the states in which a power cut can leave a disk, and prints the results.
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseCount } from "../../xtask/count.ts";
import { abortOnSignals, allEnded, say, writeTo } from "../long-run.ts";
import { startBar } from "../run-bar.ts";
import { mountTracing, removeTraces } from "./block-trace.ts";
import { chooseRecordings } from "./choose-recordings.ts";
import { type DiskLog, openDiskLog } from "./disk-log.ts";
import { copyDisk } from "./disk-states.ts";
import {
  appendJudged,
  describeFailure,
  formatKinds,
  formatPhases,
  formatReport,
  formatTable,
  type Judged,
  type Results,
  type Run,
  readJudged,
} from "./journal.ts";
import { digestOfJudge } from "./judge-sources.ts";
import { makeRecording } from "./record.ts";
import { type Made, readMade, recordingPaths } from "./recording-file.ts";
import { RECORDINGS } from "./recordings.ts";
import { numberSectors } from "./sectors.ts";
import { settlingOf } from "./settle.ts";
import { openStateDisk } from "./state-disk.ts";
import { listStates, type State, sampleStates } from "./states.ts";
import { drawTimeline, findAppearances } from "./timeline.ts";
import { type Bench, requestFor, startJudge, tryState } from "./trial.ts";
import { createMemos, openViewer, type Viewer } from "./view.ts";
import {
  makeWorkDirectory,
  removeOldWork,
  removeWorkDirectory,
  tracingIn,
} from "./work-directory.ts";

const TOP = join(import.meta.dirname, "../..");

const { values } = parseArgs({
  options: {
    recording: { type: "string", multiple: true },
    count: { type: "string" },
    from: { type: "string", default: "0" },
    only: { type: "string" },
    jobs: { type: "string", default: "2" },
    anew: { type: "boolean", default: false },
    executable: { type: "string", default: "target/bootc" },
    "obeyed-flushes": { type: "string", default: "1" },
    rounds: { type: "string", default: "1" },
    timeline: { type: "string" },
    journal: { type: "string", default: "target/crash/journal.jsonl" },
    report: { type: "string" },
  },
});

const interrupt = new AbortController();
/** As if the drive obeyed only one of so many flushes: the judge must notice. */
const OBEYED = parseCount("--obeyed-flushes", values["obeyed-flushes"]);

const ROUNDS = parseCount("--rounds", values.rounds);

/** What belongs to the number of a state. */
const OTHERWISE = [
  ...(OBEYED === 1 ? [] : [` --obeyed-flushes ${OBEYED}`]),
  ...(ROUNDS === 1 ? [] : [` --rounds ${ROUNDS}`]),
].join("");

async function findMade(name: string, executable: string): Promise<Made> {
  const made = values.anew ? undefined : await readMade(name);
  if (made !== undefined) return made;
  say(`recording ${name}: ${RECORDINGS[name]?.about}`);
  return await makeRecording(name, executable);
}

interface Session {
  readonly name: string;
  readonly made: Made;
  readonly run: Run;
  readonly executable: string;
  readonly journal: string;
}

function chooseStates(states: readonly State[]): readonly State[] {
  if (values.only !== undefined) {
    const number = parseCount("--only", values.only, 0);
    const state = states.find((it) => it.number === number);
    if (state === undefined) throw new Error(`the recording has no state ${number}`);
    return [state];
  }
  const from = parseCount("--from", values.from, 0);
  const rest = states.filter((it) => it.number >= from);
  return values.count === undefined
    ? rest
    : sampleStates(rest, parseCount("--count", values.count, 0));
}

async function judgeRecording(session: Session): Promise<readonly Judged[]> {
  const { name, run, journal } = session;
  const log = openDiskLog(recordingPaths(name).log, OBEYED);
  try {
    const all = listStates(log.intervals, ROUNDS);
    const wanted = chooseStates(all);
    const isOnce = values.only !== undefined;
    const done = isOnce ? [] : await readJudged(journal, run);
    const numbers = new Set(done.map((it) => it.number));
    const left = wanted.filter((it) => !numbers.has(it.number));
    say(
      `${name}: ${left.length} of ${wanted.length} states to judge; the recording has ` +
        `${all.length} between ${log.intervals.length} flushes`,
    );
    await judgeAll(session, { log, left, done });
  } finally {
    log.close();
  }
  const chosen = new Set(chooseStates(listStates(log.intervals, ROUNDS)).map((it) => it.number));
  return (await readJudged(journal, run)).filter((it) => chosen.has(it.number));
}

interface Work {
  readonly log: Bench["log"];
  readonly left: readonly State[];
  readonly done: readonly Judged[];
}

/** Several workers take the next state in turn, each with a folder and disks of its own. */
async function judgeAll(session: Session, { log, left, done }: Work): Promise<void> {
  const { name, made, run, executable, journal } = session;
  const known = new Map(
    done.filter((it) => it.problems.length === 0 && !it.isRepaired).map((it) => [it.view, it]),
  );
  const found: Bench["found"] = new Map();
  const queue = [...left];
  const bar = startBar(left.length);
  const top = await makeWorkDirectory();
  const worker = async (viewer: Viewer, work: string) => {
    const judge = startJudge();
    const bench: Bench = { made, log, viewer, executable, judge, work, known, found };
    try {
      for (let it = queue.shift(); it !== undefined; it = queue.shift()) {
        const judged = await tryState(bench, it);
        // Ctrl-C also reaches the programs that judge, so this state has no result.
        if (interrupt.signal.aborted) break;
        await appendJudged(journal, run, judged);
        bar.count(judged);
        if (judged.problems.length > 0) say(describeFailure(name, judged, OTHERWISE));
        if (values.only !== undefined) await show(bench, it);
      }
    } catch (error) {
      queue.length = 0;
      // Ctrl-C also ends the programs that judge. A failure that follows from that is not a result.
      if (!interrupt.signal.aborted) throw error;
    } finally {
      await judge.end();
      await viewer.end();
    }
  };
  try {
    const viewers = await openViewers(session, log, top);
    await allEnded(viewers.map((it, i) => worker(it, join(top, String(i)))));
  } finally {
    bar.end();
    await removeWorkDirectory(top);
  }
}

/** One for each worker. What one of them has seen, the others need not look at. */
async function openViewers(
  { name, made: { layout } }: Session,
  log: DiskLog,
  top: string,
): Promise<readonly Viewer[]> {
  const { base, log: logPath } = recordingPaths(name);
  const numbers = numberSectors();
  const [contents, logContents] = [base, logPath].map((it) => numbers.numberFile(it));
  if (contents === undefined || logContents === undefined) return [];
  const settling = settlingOf(base, layout, numbers);
  const tracing = await mountTracing(tracingIn(top));
  if (tracing === undefined) say("without the kernel's tracing, every state is looked at anew");
  else await removeTraces(tracing);
  const memos = createMemos();
  const jobs = parseCount("--jobs", values.jobs);
  return await Promise.all(
    Array.from({ length: jobs }, async (_, i) => {
      const work = join(top, String(i));
      await mkdir(work);
      const disk = await openStateDisk({ base, contents, log, logContents, numbers, work });
      return await openViewer({ disk, layout, work, memos, settling, tracing });
    }),
  );
}

/** Leaves the disk of a single state, and prints everything that was found on it. */
async function show(bench: Bench, state: State): Promise<void> {
  const kept = join(recordingPaths(bench.made.name).dir, `state-${state.number}.img`);
  const disk = join(bench.work, "shown.img");
  await bench.viewer.disk.load(state);
  await copyDisk(bench.viewer.disk.path, kept);
  await copyDisk(kept, disk);
  say(JSON.stringify(await bench.judge.find(requestFor(bench, disk)), undefined, 2));
  say(`the disk is ${relative(TOP, kept)}`);
}

async function writeTimeline(made: Made, path: string): Promise<void> {
  const log = openDiskLog(recordingPaths(made.name).log);
  const work = await makeWorkDirectory();
  try {
    const appearances = await findAppearances(made, { log, work });
    const { intervals } = log;
    const title = `${RECORDINGS[made.name]?.about}: what was written, flushed and named`;
    const drawn = { title, intervals, marks: made.marks, appearances };
    await writeTo(path, drawTimeline(drawn));
  } finally {
    log.close();
    await removeWorkDirectory(work);
  }
}

async function main(): Promise<void> {
  abortOnSignals(interrupt);
  await removeOldWork();
  const executable = resolve(TOP, values.executable);
  const digest = createHash("sha256")
    .update(await readFile(executable))
    .digest("hex");
  const judge = await digestOfJudge();
  const journal = resolve(TOP, values.journal);
  const results: Results[] = [];
  for (const name of await chooseRecordings(values.recording)) {
    const made = await findMade(name, executable);
    if (values.timeline !== undefined) await writeTimeline(made, values.timeline);
    const run = {
      recording: OBEYED === 1 ? name : `${name}, one flush of ${OBEYED}`,
      made: made.date,
      executable: digest.slice(0, 16),
      judge,
    };
    const judged = await judgeRecording({ name, made, run, executable, journal });
    if (interrupt.signal.aborted) throw new Error("interrupted; run it again to continue");
    results.push({ recording: name, judged });
  }
  if (values.report !== undefined) {
    await writeTo(values.report, formatReport(results, import.meta.filename));
  }
  const tables = [formatTable, formatPhases, formatKinds].map((it) => it(results));
  process.stdout.write(`${tables.join("\n\n")}\n`);
  if (results.some((it) => it.judged.some(({ problems }) => problems.length > 0))) {
    process.exitCode = 1;
  }
}

await main();
