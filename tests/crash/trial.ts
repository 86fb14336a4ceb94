// Judges one state of a recording: makes its disk, looks whether the same view has been judged, and if not, judges it.
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { DiskLog } from "./disk-log.ts";
import type { DiskStates } from "./disk-states.ts";
import type { Judged } from "./journal.ts";
import { type Expectation, judgeState, type StateFacts, type Verdict } from "./judge.ts";
import type { JudgeRequest } from "./judge-state.ts";
import { type Made, placeOf, recordingPaths } from "./recording-file.ts";
import type { State } from "./states.ts";
import { viewDisk } from "./view.ts";

export interface Bench {
  readonly made: Made;
  readonly log: DiskLog;
  readonly disks: DiskStates;
  readonly executable: string;
  readonly judge: Judge;
  /** A folder of this worker's own. */
  readonly work: string;
  /** Verdicts by views and by what may be the default. */
  readonly known: Map<string, Promise<Verdict>>;
}

export async function tryState(bench: Bench, state: State): Promise<Judged> {
  const { made, log, disks, work, known } = bench;
  const interval = log.intervals[state.interval];
  if (interval === undefined) throw new Error(`there is no interval ${state.interval}`);
  const startedAt = Date.now();
  const disk = join(work, "state.img");
  for (const it of ["raw", "root"]) await mkdir(join(work, it), { recursive: true });
  await disks.make(state, disk);
  const { digest, isRepaired, complaints } = await viewDisk(disk, made.layout, work);
  const { phase, allowed } = placeOf(made.marks, interval);
  const key = [digest, ...allowed].join(" ");
  const earlier = known.get(key);
  const verdict = earlier ?? judgeFresh(bench, state, { allowed, isRepaired });
  known.set(key, verdict);
  const { booted, problems: found, loader } = await verdict;
  const sorted = sortProblems(state, isRepaired, [...found, ...loader]);
  await rm(disk, { force: true });
  return {
    ...{ number: state.number, interval: state.interval, kind: state.kind, phase, booted },
    ...{ problems: sorted.problems, complaints: [...complaints, ...sorted.complaints] },
    ...{ loader, isRepaired },
    ...{ view: key, isRepeated: earlier !== undefined },
    ms: Date.now() - startedAt,
  };
}

/**
 * No file system promises to survive half of one of its blocks, and what its repair leaves is not ours to judge. In
 * every other state it has to be mounted as it is.
 */
function sortProblems(
  { kind }: State,
  isRepaired: boolean,
  found: readonly string[],
): Pick<Judged, "problems" | "complaints"> {
  if (!isRepaired) return { problems: found, complaints: [] };
  if (kind === "prefix" || kind === "torn-512") return { problems: [], complaints: found };
  return { problems: ["the file system had to be repaired", ...found], complaints: [] };
}

/** Looking at the disk has replayed its journals, so it is made anew. */
async function judgeFresh(
  bench: Bench,
  state: State,
  found: Pick<Expectation, "allowed" | "isRepaired">,
): Promise<Verdict> {
  const { made, disks, work } = bench;
  const disk = join(work, "judged.img");
  await disks.make(state, disk);
  const facts = await bench.judge.find(requestFor(bench, disk));
  await rm(disk, { force: true });
  return judgeState(facts, { ...made, ...found });
}

export function requestFor({ made, executable, work }: Bench, disk: string): JudgeRequest {
  return {
    ...{ disk, layout: made.layout, work, executable },
    nextImage: recordingPaths(made.name).image(made.next.version),
  };
}

/** The thread that looks at disks. */
export interface Judge {
  find(request: JudgeRequest): Promise<StateFacts>;
  end(): Promise<void>;
}

export function startJudge(): Judge {
  const worker = new Worker(new URL("judge-state.ts", import.meta.url));
  return {
    async find(request) {
      worker.postMessage(request);
      const [answer] = (await once(worker, "message")) as [
        { readonly facts?: StateFacts; readonly failure?: string },
      ];
      if (answer.facts === undefined) throw new Error(`judging failed: ${answer.failure}`);
      return answer.facts;
    },
    async end() {
      await worker.terminate();
    },
  };
}
