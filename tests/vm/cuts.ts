// Power cuts: an update is cut at a random moment, the machine boots, and must be intact.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { examine, readInstalledEsp, writeMark } from "./cut-checks.ts";
import { appendCut, type Cut, cutsOf, nextNumber, readCuts } from "./cut-journal.ts";
import { copyForLook, lookAtCopy } from "./cut-look.ts";
import {
  type AimWish,
  type CutMoment,
  type CutPlan,
  chooseAim,
  cutDuring,
  isTooLate,
  problemsBefore,
  sooner,
} from "./cut-moments.ts";
import { chooseUpdate, makeUpdates, type Update, type Updates } from "./cut-updates.ts";
import { installDisk, type Lab, nextConsole, rootOffset, type Variant } from "./lab.ts";
import { bootMachine, type DescribeBoot, type Machine } from "./machine.ts";

/** The machine that is cut. */
export interface CutTarget {
  /** The cell that the journal names. */
  readonly cell?: string;
  /** What its images have in addition to the updates. */
  readonly variant: Required<Variant>;
  /** Whether only the machine itself can read its disk. */
  readonly isSealed?: boolean;
  /** Installs `os:latest` to its disk. */
  install(lab: Lab): Promise<void>;
  describe(lab: Lab): Promise<DescribeBoot>;
}

/** A machine whose boot loader the harness plays. */
const HARNESS: CutTarget = {
  variant: { files: {}, lines: [] },
  install: async (lab) => void (await installDisk(lab, { ...HARNESS_DISK, tag: "latest" })),
  describe: describeForHarness,
};
const HARNESS_DISK = { name: "cuts", sizeGiB: 10 };

export interface CutsWish extends AimWish {
  readonly count: number;
  readonly seed: string;
  readonly journal: string;
  readonly target?: CutTarget;
  /** Whether the disk of an earlier run is cut further, without another installation. */
  readonly isContinued?: boolean;
}

/**
 * Makes `count` cuts and returns them. Each is added to the journal as it happens; a seed continues after its last
 * cut in the journal.
 */
export async function runCuts(lab: Lab, wish: CutsWish): Promise<readonly Cut[]> {
  const target = wish.target ?? HARNESS;
  const { isContinued = false } = wish;
  const path = join(lab.dir, `${target.cell ?? HARNESS_DISK.name}.esp`);
  const updates = makeUpdates(lab, target.variant);
  try {
    if (!isContinued) {
      await rm(path, { force: true });
      await updates.release();
      await target.install(lab);
    }
    const describe = await target.describe(lab);
    updates.prepare();
    const host = { current: await boot(describe, "first") };
    try {
      const baseline = { path, isContinued, isRequired: target.cell !== undefined };
      const esp = await readInstalledEsp(host.current, baseline);
      return await makeCuts({ lab, target, describe, updates, host, esp }, wish);
    } finally {
      await host.current.cut();
    }
  } finally {
    await updates.settle();
  }
}

async function makeCuts(run: Run, { count, seed, journal, ...wish }: CutsWish) {
  const first = nextNumber(cutsOf(await readCuts(journal), run.target.cell), seed);
  await writeMark(run.host.current, markOf(first));
  const cuts: Cut[] = [];
  for (let number = first; number < first + count; number += 1) {
    const aim = chooseAim(`${seed}-${number}`, wish);
    const cut = await cutOnce({ ...run, aim, number, isLast: number === first + count - 1 });
    cuts.push(cut);
    await appendCut(journal, cut);
    process.stderr.write(`${describeCut(cut)}\n`);
    if (run.host.current.hasEnded()) throw new Error(`no machine runs after ${cut.seed}`);
  }
  return cuts;
}

async function describeForHarness(lab: Lab): Promise<DescribeBoot> {
  const path = join(lab.dir, `${HARNESS_DISK.name}.raw`);
  const place = { bootOffset: await rootOffset(path), bootDir: "boot" } as const;
  // The layer that can lose writes is below the disk from the first boot on.
  const disk = { path, ...place, losesUnflushed: true };
  return (name) => ({ workDir: lab.dir, name: nextConsole(name), disk });
}

async function boot(describe: DescribeBoot, name: string): Promise<Machine> {
  const machine = await bootMachine(await describe(name));
  process.stderr.write(`${name}: ssh after ${Math.round(machine.bootMs / 1000)} s\n`);
  return machine;
}

function describeCut(cut: Cut): string {
  const { seed, phase, mode, seen, afterMs, booted, verdict, problems, seconds = {} } = cut;
  const where = `cut ${seed}: ${phase} (${mode}), ${seen} +${afterMs} ms`;
  const took = Object.entries(seconds).map(([step, it]) => `${step} ${it} s`);
  return [`${where}: ${booted}, ${verdict}`, took.join(", "), ...problems].join("; ");
}

/** Times steps that follow one another. */
function startWatch() {
  const seconds: Record<string, number> = {};
  let from = Date.now();
  return {
    seconds,
    lap(step: string) {
      const now = Date.now();
      seconds[step] = Math.round((now - from) / 1000);
      from = now;
    },
  };
}

/** What all cuts of a machine share. */
interface Run {
  /** The boot that goes on; whoever boots the machine again says so here, so that it is cut in the end. */
  readonly host: { current: Machine };
  readonly lab: Lab;
  readonly target: CutTarget;
  readonly describe: DescribeBoot;
  readonly updates: Updates;
  /** The files of the firmware's partition as installed. */
  readonly esp: string;
}

interface Round extends Run, CutPlan {
  readonly isLast: boolean;
}

function markOf(number: number): string {
  return `cut ${number}`;
}

/** A cut that was made, and has yet to be judged. */
interface MadeCut {
  readonly date: string;
  readonly update: Update;
  readonly moment: CutMoment;
  readonly watch: ReturnType<typeof startWatch>;
}

/** Makes a cut and judges it. One that comes too late is made again, earlier in another update. */
async function cutOnce(round: Round, tries = 1): Promise<Cut> {
  const { host, aim, number } = round;
  const watch = startWatch();
  const update = await chooseUpdate(host.current, { phase: aim.phase, updates: round.updates });
  watch.lap("update");
  const moment = await cutDuring(round, host.current, update);
  watch.lap("cut");
  const made = { date: new Date().toISOString(), update, moment, watch };
  if (!isTooLate(moment, tries)) return await judge(round, made, problemsBefore(moment));
  process.stderr.write(`cut ${aim.seed}: the machine had shut down before it; again, earlier\n`);
  const again = await boot(round.describe, `again-${number}`).catch((error: Error) => error);
  if (again instanceof Error) {
    return await judge(round, made, [`without a cut, nothing boots: ${again.message}`]);
  }
  host.current = again;
  return await cutOnce({ ...round, aim: sooner(aim) }, tries + 1);
}

/** Judges what comes up after a cut. Whatever fails here is a problem, so that the cut gets into the journal. */
async function judge(round: Round, made: MadeCut, before: readonly string[]): Promise<Cut> {
  const { target, aim } = round;
  const { date, moment, watch } = made;
  const problems = [...before];
  const booted = await bootAndExamine(round, made, problems).catch((error: unknown) => {
    problems.push(`the cut cannot be judged: ${messageOf(error)}`);
    return "none" as const;
  });
  return {
    ...{ date, seed: aim.seed, mode: aim.mode, phase: aim.phase },
    ...{ seen: moment.seen, afterMs: moment.afterMs },
    ...(target.cell === undefined ? {} : { cell: target.cell }),
    ...{ booted, verdict: problems.length === 0 ? "ok" : "failed", problems },
    seconds: watch.seconds,
  };
}

/** Adds what is wrong to `problems`, and returns what came up. */
async function bootAndExamine(round: Round, made: MadeCut, problems: string[]) {
  const { host, target, number, updates, isLast } = round;
  const { update, moment, watch } = made;
  if (!isLast) updates.prepare();
  const options = await round.describe(`check-${number}`);
  const copy = target.isSealed ? undefined : await copyForLook(options.disk.path);
  watch.lap("copy");
  const [found, next] = await Promise.all([
    copy === undefined ? [] : lookAtCopy(copy),
    bootMachine(options).catch((error: Error) => error),
  ]);
  watch.lap("boot");
  problems.push(...found);
  if (next instanceof Error) {
    problems.push(next.message);
    return "none";
  }
  host.current = next;
  const examined = await examine(next, {
    ...{ mark: markOf(number), nextMark: markOf(number + 1), esp: round.esp, updates },
    allowed: { old: [update.old], either: [update.old, update.version], new: [update.version] }[
      moment.boots
    ],
    isRepositoryRead: isLast || target.isSealed === true,
  });
  watch.lap("checks");
  problems.push(...examined.problems);
  if (problems.length > 0) problems.push(...(await keepLog(round, next)));
  return examined.version === update.old ? "old" : "new";
}

/** Keeps what the machine has to say about a failure. Returns why that cannot be had. */
async function keepLog({ lab, aim }: Round, machine: Machine): Promise<readonly string[]> {
  const path = join(lab.dir, `failed-${aim.seed}.log`);
  try {
    const said = await machine.run(
      "journalctl --boot --no-pager; bootc status; ostree admin status",
    );
    await writeFile(path, `${said.stdout}${said.stderr}`);
    return [];
  } catch (error) {
    return [`the log of the machine cannot be kept: ${messageOf(error)}`];
  }
}
