// Power cuts: an update is cut at a random moment, the machine boots, and must be intact.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { examine, listEsp, writeMark } from "./cut-checks.ts";
import {
  appendCut,
  type Cut,
  cutsOf,
  MODES,
  type Mode,
  nextNumber,
  PHASES,
  type Phase,
  readCuts,
} from "./cut-journal.ts";
import { copyForLook, lookAtCopy } from "./cut-look.ts";
import { makeUpdates, type Updates } from "./cut-updates.ts";
import { startUpgrade } from "./guest-upgrade.ts";
import { installDisk, type Lab, nextConsole, rootOffset, statusOf, type Variant } from "./lab.ts";
import { type BootOptions, bootMachine, type Machine, startMachine } from "./machine.ts";
import { waitFor } from "./shell.ts";

/** Describes one boot of the machine; `name` is that of its console log. */
export type DescribeBoot = (name: string) => BootOptions | Promise<BootOptions>;

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

export interface CutsWish {
  readonly count: number;
  readonly seed: string;
  readonly journal: string;
  /** By default, the seed chooses. */
  readonly mode?: Mode;
  /** By default, the seed chooses. */
  readonly phase?: Phase;
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

interface Aim {
  readonly seed: string;
  readonly mode: Mode;
  readonly phase: Phase;
  /** The moment within the phase, from 0 to 1. */
  readonly fraction: number;
}

/** How long phases take under emulation, in milliseconds; cuts are spread over this time. */
const SPREAD_MS: Readonly<Record<Exclude<Phase, "first-boot">, number>> = {
  pull: 8000,
  import: 8000,
  stage: 6000,
  finalize: 8000,
};

export function chooseAim(seed: string, wish: Pick<CutsWish, "mode" | "phase"> = {}): Aim {
  const random = randomOf(seed);
  const phase = PHASES[Math.floor(random() * PHASES.length)] ?? "pull";
  const mode = MODES[Math.floor(random() * MODES.length)] ?? "keeps-writes";
  return { seed, phase: wish.phase ?? phase, mode: wish.mode ?? mode, fraction: random() };
}

/** A small generator (mulberry32), seeded with a hash (FNV-1a) of the text. */
function randomOf(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
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

interface Round extends Run {
  readonly aim: Aim;
  readonly number: number;
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
  const update = await chooseUpdate(round, machine);
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

interface Update {
  /** The version that is booted. */
  readonly old: string;
  /** The version that is cut. */
  readonly version: string;
  readonly isStaged: boolean;
}

/** The update that the last check has staged has yet to be finalized and booted; other phases need a new one. */
async function chooseUpdate({ aim, updates }: Round, machine: Machine): Promise<Update> {
  const { status } = await statusOf(machine);
  const old = status.booted?.image?.version ?? "none";
  const staged = status.staged?.image?.version ?? undefined;
  if (staged !== undefined && ["finalize", "first-boot"].includes(aim.phase)) {
    return { old, version: staged, isStaged: true };
  }
  return { old, version: await updates.release(), isStaged: false };
}

interface CutMoment {
  readonly seen: string;
  readonly afterMs: number;
  /** The systems that may come up. */
  readonly boots: "old" | "new" | "either";
}

async function cutDuring(round: Round, machine: Machine, update: Update): Promise<CutMoment> {
  const { phase, fraction } = round.aim;
  if (phase === "first-boot") {
    await stageUpdate(machine, update);
    const from = Date.now();
    await machine.reboot();
    process.stderr.write(`the shutdown took ${Date.now() - from} ms\n`);
    return await cutFirstBoot(round, Math.round(machine.bootMs * fraction));
  }
  const afterMs = Math.round(SPREAD_MS[phase] * fraction);
  if (phase !== "finalize") return await cutUpgrade(round, machine, { step: phase, afterMs });
  await stageUpdate(machine, update);
  return await cutShutdown(round, machine, afterMs);
}

async function stageUpdate(machine: Machine, { isStaged }: Update): Promise<void> {
  if (!isStaged) await machine.must("bootc upgrade --quiet");
}

async function cutUpgrade(
  { aim }: Round,
  machine: Machine,
  { step, afterMs }: { readonly step: "pull" | "import" | "stage"; readonly afterMs: number },
): Promise<CutMoment> {
  const upgrade = startUpgrade(machine);
  await upgrade.reached(step);
  await passed(afterMs);
  const seen = upgrade.step();
  await cutPower(machine, aim.mode);
  await upgrade.ended;
  const begun = [...upgrade.begunMs].map(([name, ms]) => `${name} at ${ms} ms`);
  process.stderr.write(`the upgrade began ${begun.join(", ")}\n`);
  // A staged update takes effect only at an orderly shutdown.
  return { seen, afterMs, boots: "old" };
}

/** The machine had shut down by itself. */
const OFF = "off";

/** Before ostree finalizes the update, the shutdown writes nothing that matters. */
const FINALIZING = /Stopping .*ostree-finalize-staged/;
const FINALIZED = /Stopped .*ostree-finalize-staged/;

async function cutShutdown({ aim }: Round, machine: Machine, afterMs: number): Promise<CutMoment> {
  // Not waited for: the answer may never come.
  const asked = machine.run("systemctl reboot", 120_000).catch(() => undefined);
  await waitFor("the update to be finalized", 600_000, async () => {
    const isUnderWay = FINALIZING.test(await readFile(machine.consolePath, "utf8"));
    return isUnderWay || machine.hasEnded() || undefined;
  });
  await Promise.race([passed(afterMs), machine.waitForEnd()]);
  const isFinalized = FINALIZED.test(await readFile(machine.consolePath, "utf8"));
  const running = isFinalized ? "shutting down" : "finalizing";
  const seen = machine.hasEnded() ? OFF : running;
  await cutPower(machine, seen === OFF ? "keeps-writes" : aim.mode);
  await asked;
  return { seen, afterMs, boots: "either" };
}

async function cutFirstBoot(round: Round, afterMs: number): Promise<CutMoment> {
  const { aim, describe } = round;
  const machine = await startMachine(await describe(`cut-boot-${round.number}`));
  await passed(afterMs);
  const seen = await lastSeen(machine);
  await cutPower(machine, aim.mode);
  // The shutdown before this boot was orderly.
  return { seen, afterMs, boots: "new" };
}

async function lastSeen(machine: Machine): Promise<string> {
  const text = await readFile(machine.consolePath, "utf8");
  if (/initrd-switch-root|Switching root/i.test(text)) return "user space";
  return /Linux version/.test(text) ? "initramfs" : "boot loader";
}

/** The only place where time alone decides when a cut comes. */
async function passed(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function cutPower(machine: Machine, mode: Mode): Promise<void> {
  await machine.cut(mode === "loses-unflushed" ? "unflushed-lost" : "writes-kept");
}
