// `xtask crash-states --boot`: boots states in which a power cut can leave a disk, and prints the results.
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseCount } from "../../../xtask/count.ts";
import { abortOnSignals, allEnded, say, writeTo } from "../../long-run.ts";
import { startBar } from "../../run-bar.ts";
import { hashOf } from "../../vm/cache.ts";
import { chooseRecordings } from "../choose-recordings.ts";
import { type DiskLog, openDiskLog } from "../disk-log.ts";
import { openDiskStates } from "../disk-states.ts";
import { LARGE_MIB } from "../file-systems.ts";
import type { BootParts } from "../images.ts";
import { describeFailure, type Run } from "../journal.ts";
import { digestOfJudge } from "../judge-sources.ts";
import { makeRecording } from "../record.ts";
import { bootingName, type Made, placeOf, readMade, recordingPaths } from "../recording-file.ts";
import { RECORDINGS } from "../recordings.ts";
import { chooseByStrata, intervalOf, listStates, mayTearBlock, type State } from "../states.ts";
import { makeWorkDirectory, removeOldWork, removeWorkDirectory } from "../work-directory.ts";
import {
  appendBooted,
  type Booted,
  type BootResults,
  formatBoots,
  formatReport,
  readBooted,
} from "./boot-journal.ts";
import { judgeBoot } from "./judge-boot.ts";
import { MEMORY_BYTES } from "./machine.ts";
import { makeBootSystem } from "./system.ts";
import { tryBoot } from "./try-boot.ts";

/** Under this kernel, an update takes longer than a boot, so only every tenth state and the last one get one. */
const UPDATED = 10;

/** What a worker needs at most: three disks, and the memory of a machine. */
const WORKER_BYTES = 3 * LARGE_MIB * 2 ** 20 + MEMORY_BYTES;

const TOP = join(import.meta.dirname, "../../..");

const { values } = parseArgs({
  options: {
    recording: { type: "string", multiple: true },
    count: { type: "string", default: "100" },
    only: { type: "string" },
    "obeyed-flushes": { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    anew: { type: "boolean", default: false },
    executable: { type: "string", default: "target/bootc" },
    journal: { type: "string", default: "target/crash/boots.jsonl" },
    report: { type: "string" },
  },
});

const interrupt = new AbortController();

const COUNT = parseCount("--count", values.count);
const JOBS = parseCount("--jobs", values.jobs);
/** As if the drive obeyed only one of so many flushes: the judge must notice. */
const OBEYED = parseCount("--obeyed-flushes", values["obeyed-flushes"]);
const ONLY = values.only === undefined ? undefined : parseCount("--only", values.only, 0);

/** What belongs to the number of a state. */
const OTHERWISE = ` --boot${OBEYED === 1 ? "" : ` --obeyed-flushes ${OBEYED}`}`;

interface Session {
  readonly name: string;
  readonly made: Made;
  readonly run: Run;
  readonly journal: string;
}

/** A recording of other systems is made again. */
async function findMade(name: string, executable: string, parts: BootParts): Promise<Made> {
  const made = values.anew ? undefined : await readMade(bootingName(name));
  if (made?.parts === parts.digest) return made;
  say(`recording ${name} with systems that boot: ${RECORDINGS[name]?.about}`);
  return await makeRecording(name, executable, parts);
}

interface Chosen {
  readonly state: State;
  readonly isUpdated: boolean;
}

function chooseStates({ made }: Session, log: DiskLog): readonly Chosen[] {
  const states = listStates(log.intervals);
  if (ONLY !== undefined) {
    const state = states.find((it) => it.number === ONLY);
    if (state === undefined) throw new Error(`the recording has no state ${ONLY}`);
    return [{ state, isUpdated: true }];
  }
  const phaseOf = (state: State) => placeOf(made.marks, intervalOf(log.intervals, state)).phase;
  const chosen = chooseByStrata(states, COUNT, (it) => `${phaseOf(it)} ${it.kind}`);
  return chosen.map((state, i) => ({
    state,
    isUpdated: i % UPDATED === UPDATED - 1 || i === chosen.length - 1,
  }));
}

async function bootRecording(session: Session): Promise<readonly Booted[]> {
  const { made, run, journal, name } = session;
  const log = openDiskLog(recordingPaths(made.name).log, OBEYED);
  try {
    const chosen = chooseStates(session, log);
    const done = ONLY === undefined ? await readBooted(journal, run) : [];
    const left = chosen.filter((it) => !done.some((line) => isDone(line, it)));
    say(`${name}: ${left.length} of ${chosen.length} states to boot`);
    await bootAll(session, log, left);
    const wanted = new Set(chosen.map((it) => it.state.number));
    return (await readBooted(journal, run)).filter((it) => wanted.has(it.number));
  } finally {
    log.close();
  }
}

/** A state that was booted without an update may have to get one now. */
function isDone(line: Booted, { state, isUpdated }: Chosen): boolean {
  return line.number === state.number && (line.isUpdated || line.isUnmountable || !isUpdated);
}

/** Several workers take the next state in turn, each with a folder and disks of its own. */
async function bootAll(session: Session, log: DiskLog, left: readonly Chosen[]): Promise<void> {
  const { name, run, journal } = session;
  const queue = [...left];
  const bar = startBar(left.length);
  const top = await makeWorkDirectory(JOBS * WORKER_BYTES);
  const worker = async (work: string) => {
    try {
      await mkdir(work);
      for await (const booted of bootEach(session, { log, queue, work })) {
        if (interrupt.signal.aborted) break;
        await appendBooted(journal, run, booted);
        bar.count(booted);
        if (booted.problems.length > 0) say(describeFailure(name, booted, OTHERWISE));
        if (ONLY !== undefined) say(JSON.stringify(booted, undefined, 2));
      }
    } catch (error) {
      queue.length = 0;
      // Ctrl-C also ends the programs that look at disks. A failure that follows from that is not a result.
      if (!interrupt.signal.aborted) throw error;
    }
  };
  try {
    await allEnded(Array.from({ length: JOBS }, (_, i) => worker(join(top, String(i)))));
  } finally {
    bar.end();
    await removeWorkDirectory(top);
  }
}

interface Queue {
  readonly log: DiskLog;
  readonly queue: Chosen[];
  readonly work: string;
}

async function* bootEach(session: Session, { log, queue, work }: Queue): AsyncGenerator<Booted> {
  const { base } = recordingPaths(session.made.name);
  const disks = await openDiskStates({ base, log, work });
  const disk = join(work, "disk.img");
  try {
    for (let it = queue.shift(); it !== undefined; it = queue.shift()) {
      await disks.make(it.state, disk);
      yield await bootState(session, { ...it, log, disk, work: join(work, "boot") });
    }
  } finally {
    await disks.close();
  }
}

interface OneBoot extends Chosen {
  readonly log: DiskLog;
  readonly disk: string;
  readonly work: string;
}

async function bootState(
  { made }: Session,
  { log, state, isUpdated, disk, work }: OneBoot,
): Promise<Booted> {
  const startedAt = Date.now();
  const { phase, allowed } = placeOf(made.marks, intervalOf(log.intervals, state));
  await rm(work, { recursive: true, force: true });
  await mkdir(work);
  const found = await tryBoot({ made, disk, work, isUpdated, signal: interrupt.signal });
  const verdict =
    found === undefined
      ? { booted: "none" as const, problems: judgeUnmountable(state) }
      : judgeBoot(found, { ...made, allowed, isRepaired: false });
  if (ONLY !== undefined && found !== undefined) say(`${found.console}\n${found.output}`);
  return {
    ...{ number: state.number, kind: state.kind, phase, ...verdict },
    isUnmountable: found === undefined,
    isUpdated: found?.sections.get("upgrade")?.status === 0,
    seconds: (Date.now() - startedAt) / 1000,
  };
}

function judgeUnmountable({ kind }: State): readonly string[] {
  return mayTearBlock(kind) ? [] : ["a file system cannot be mounted"];
}

async function main(): Promise<void> {
  abortOnSignals(interrupt);
  await removeOldWork();
  const executable = resolve(TOP, values.executable);
  const journal = resolve(TOP, values.journal);
  const parts = await makeBootSystem(executable);
  const judge = hashOf([await digestOfJudge(), await digestOfJudge(import.meta.dirname, [])]);
  const results: BootResults[] = [];
  for (const name of await chooseRecordings(values.recording)) {
    const made = await findMade(name, executable, parts);
    const recording = OBEYED === 1 ? name : `${name}, one flush of ${OBEYED}`;
    const run = { recording, made: made.date, executable: parts.digest, judge };
    const booted = await bootRecording({ name, made, run, journal });
    if (interrupt.signal.aborted) throw new Error("interrupted; run it again to continue");
    results.push({ recording: name, booted });
  }
  if (values.report !== undefined) {
    await writeTo(values.report, formatReport(results, import.meta.filename));
  }
  process.stdout.write(`${formatBoots(results)}\n`);
  if (results.some(({ booted }) => booted.some((it) => it.problems.length > 0))) {
    process.exitCode = 1;
  }
}

await main();
