// Power cuts: an update is cut at a random moment, the machine boots, and must be intact.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { examine, listEsp, writeMark } from "./cut-checks.ts";
import { appendCut, type Cut, cutsOf, nextNumber, readCuts } from "./cut-journal.ts";
import { copyForLook, lookAtCopy } from "./cut-look.ts";
import { type AimWish, type CutPlan, chooseAim, cutDuring, OFF } from "./cut-moments.ts";
import { chooseUpdate, makeUpdates, type Updates } from "./cut-updates.ts";
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
  const first = nextNumber(cutsOf(await readCuts(wish.journal), target.cell), wish.seed);
  const updates = makeUpdates(lab, target.variant);
  if (wish.isContinued !== true) {
    await updates.release();
    await target.install(lab);
  }
  const describe = await target.describe(lab);
  updates.prepare();
  let machine = await boot(describe, "first");
  const cuts: Cut[] = [];
  try {
    const run: Run = { lab, target, describe, updates, esp: await listEsp(machine) };
    await writeMark(machine, markOf(first));
    for (let number = first; number < first + wish.count; number += 1) {
      const aim = chooseAim(`${wish.seed}-${number}`, wish);
      let round: Round = { ...run, aim, number, isLast: number === first + wish.count - 1 };
      let result = await cutOnce(round, machine);
      while (isTooLate(result)) {
        process.stderr.write(
          `cut ${aim.seed}: the machine had shut down before it; again, earlier\n`,
        );
        round = sooner(round);
        result = await cutOnce(round, await boot(describe, `again-${number}`));
      }
      cuts.push(result.cut);
      await appendCut(wish.journal, result.cut);
      process.stderr.write(`${describeCut(result.cut)}\n`);
      if (result.machine === undefined) throw new Error(`nothing boots after ${aim.seed}`);
      machine = result.machine;
    }
  } finally {
    await machine.cut();
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
  readonly lab: Lab;
  readonly target: CutTarget;
  readonly describe: DescribeBoot;
  readonly updates: Updates;
  /** The files of the firmware's partition. */
  readonly esp: string;
}

interface Round extends Run, CutPlan {
  readonly isLast: boolean;
}

/** The same cut in another update, at half the time. */
function sooner(round: Round): Round {
  const { aim } = round;
  return { ...round, aim: { ...aim, fraction: aim.fraction / 2 } };
}

function markOf(number: number): string {
  return `cut ${number}`;
}

/** A cut, and what came up after it. */
interface CutResult {
  readonly cut: Cut;
  /** The machine booted after the cut; undefined when nothing boots. */
  readonly machine?: Machine;
}

function isTooLate(result: CutResult | "too late"): result is "too late" {
  return result === "too late";
}

async function cutOnce(round: Round, machine: Machine): Promise<CutResult | "too late"> {
  const { target, aim, number, updates } = round;
  const watch = startWatch();
  const update = await chooseUpdate(machine, { phase: aim.phase, updates });
  watch.lap("update");
  const { seen, afterMs, boots } = await cutDuring(round, machine, update);
  if (seen === OFF) return "too late";
  watch.lap("cut");
  const what = {
    ...{ date: new Date().toISOString(), seed: aim.seed, mode: aim.mode, phase: aim.phase },
    ...{ seen, afterMs },
    ...(target.cell === undefined ? {} : { cell: target.cell }),
  };
  updates.prepare();
  const options = await round.describe(`check-${number}`);
  const copy = target.isSealed ? undefined : await copyForLook(options.disk.path);
  watch.lap("copy");
  const looked = copy === undefined ? [] : lookAtCopy(copy);
  const next = await bootMachine(options).catch((error: Error) => error);
  const found = await looked;
  watch.lap("boot");
  const { seconds } = watch;
  if (next instanceof Error) {
    const problems = [...found, next.message];
    return { cut: { ...what, booted: "none", verdict: "failed", problems, seconds } };
  }
  const { problems, version } = await examine(next, {
    ...{ mark: markOf(number), nextMark: markOf(number + 1), esp: round.esp, updates },
    allowed: { old: [update.old], either: [update.old, update.version], new: [update.version] }[
      boots
    ],
    isRepositoryRead: round.isLast || target.isSealed === true,
  });
  watch.lap("checks");
  const all = [...found, ...problems];
  if (all.length > 0) await keepLog(round, next);
  const booted = version === update.old ? "old" : "new";
  const verdict = all.length === 0 ? "ok" : "failed";
  return { cut: { ...what, booted, verdict, problems: all, seconds }, machine: next };
}

/** What the machine has to say about a failure. */
async function keepLog({ lab, aim }: Round, machine: Machine): Promise<void> {
  const said = await machine.run("journalctl --boot --no-pager; bootc status; ostree admin status");
  await writeFile(join(lab.dir, `failed-${aim.seed}.log`), `${said.stdout}${said.stderr}`);
}
