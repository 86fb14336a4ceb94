// Judges one state of a recording: looks what is seen on its disk, and if nobody has judged that, judges it.
import { hash } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { DiskLog } from "./disk-log.ts";
import { copyDisk } from "./disk-states.ts";
import type { Judged } from "./journal.ts";
import { type Expectation, judgeState, type MountedFacts, type Verdict } from "./judge.ts";
import type { JudgeRequest } from "./judge-state.ts";
import { type Made, placeOf, recordingPaths } from "./recording-file.ts";
import { intervalOf, mayTearBlock, type State } from "./states.ts";
import { digestOfLoader, type View, type Viewer } from "./view.ts";

export interface Bench {
  readonly made: Made;
  readonly log: DiskLog;
  readonly viewer: Viewer;
  readonly executable: string;
  readonly judge: Judge;
  /** A folder of this worker's own. */
  readonly work: string;
  /** Verdicts of earlier runs, by views and by what may be the default. */
  readonly known: ReadonlyMap<string, Verdict>;
  /** What all workers found on mounted disks, by their digests. */
  readonly found: Map<string, Promise<MountedFacts>>;
}

/** Every so many states that need no look are looked at nevertheless. */
const COMPARED = 25;

export async function tryState(bench: Bench, state: State): Promise<Judged> {
  const { made, log, viewer, known } = bench;
  const interval = intervalOf(log.intervals, state);
  const startedAt = Date.now();
  const view = await viewer.view(state);
  const { isRepaired, isRemembered, complaints } = view;
  const compare = isRemembered && state.number % COMPARED === 0 ? viewer.compare : undefined;
  const differences = (await compare?.(state, view)) ?? [];
  const { phase, allowed } = placeOf(made.marks, interval);
  const disk = nameDisk(view);
  const key = [disk, digestOfLoader(view.loader), ...allowed].join(" ");
  const isRepeated = known.has(key) || bench.found.has(disk);
  const verdict = known.get(key) ?? (await judgeView(bench, state, { view, disk, allowed }));
  const { booted, loader } = verdict;
  const sorted = sortProblems(state, isRepaired, [...verdict.problems, ...loader]);
  return {
    ...{ number: state.number, interval: state.interval, kind: state.kind, phase, booted },
    problems: [...differences, ...sorted.problems],
    complaints: [...complaints, ...sorted.complaints],
    ...{ loader, isRepaired, isRemembered, isCompared: compare !== undefined },
    ...{ view: key, isRepeated },
    ms: Date.now() - startedAt,
  };
}

/** The files alone do not say it: on a damaged file system, the same files may fail the next update. */
function nameDisk({ digest, isRepaired, complaints }: View): string {
  const damage = complaints.length === 0 ? [] : [`damaged-${hash("sha1", complaints.join("\n"))}`];
  return [...(isRepaired ? ["repaired"] : []), ...damage, digest].join("-");
}

interface Viewed extends Pick<Expectation, "allowed"> {
  readonly view: View;
  /** What it is known by. */
  readonly disk: string;
}

async function judgeView(bench: Bench, state: State, viewed: Viewed): Promise<Verdict> {
  const { view, disk, allowed } = viewed;
  const found = bench.found.get(disk) ?? findFresh(bench, state);
  bench.found.set(disk, found);
  const { loader, isRepaired } = view;
  return judgeState({ ...(await found), loader }, { ...bench.made, allowed, isRepaired });
}

/** What the repair of a torn block leaves is not ours to judge. Every other state has to be mounted as it is. */
function sortProblems(
  { kind }: State,
  isRepaired: boolean,
  found: readonly string[],
): Pick<Judged, "problems" | "complaints"> {
  if (!isRepaired) return { problems: found, complaints: [] };
  if (mayTearBlock(kind)) return { problems: [], complaints: found };
  return { problems: ["the file system had to be repaired", ...found], complaints: [] };
}

/** Looking at the disk has replayed its journals, so it is made anew. */
async function findFresh(bench: Bench, state: State): Promise<MountedFacts> {
  const { viewer, work } = bench;
  const disk = join(work, "judged.img");
  await viewer.disk.load(state);
  await copyDisk(viewer.disk.path, disk);
  try {
    return await bench.judge.find(requestFor(bench, disk));
  } finally {
    await rm(disk, { force: true });
  }
}

export function requestFor({ made, executable, work }: Bench, disk: string): JudgeRequest {
  return {
    ...{ disk, layout: made.layout, work, executable },
    nextImage: recordingPaths(made.name).image(made.next.version),
  };
}

/** The thread that looks at disks. */
export interface Judge {
  find(request: JudgeRequest): Promise<MountedFacts>;
  end(): Promise<void>;
}

export function startJudge(): Judge {
  const worker = new Worker(new URL("judge-state.ts", import.meta.url));
  return {
    async find(request) {
      worker.postMessage(request);
      const [answer] = (await once(worker, "message")) as [
        { readonly facts?: MountedFacts; readonly failure?: string },
      ];
      if (answer.facts === undefined) throw new Error(`judging failed: ${answer.failure}`);
      return answer.facts;
    },
    async end() {
      await worker.terminate();
    },
  };
}
