// Power cuts: an update is cut at a random moment, the machine boots, and must be intact.
import { readFile } from "node:fs/promises";
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
import { startUpgrade } from "./guest-upgrade.ts";
import { installDisk, type Lab, nextConsole, release, statusOf, type Variant } from "./lab.ts";
import { type BootOptions, bootMachine, type Machine, startMachine } from "./machine.ts";

/** Describes one boot of the machine; `name` is that of its console log. */
export type DescribeBoot = (name: string) => BootOptions | Promise<BootOptions>;

/** The machine that is cut. */
export interface CutTarget {
  /** The cell that the journal names. */
  readonly cell?: string;
  /** What its images have in addition to the updates. */
  readonly variant: Required<Variant>;
  /** Installs `os:latest` to it. */
  install(lab: Lab): Promise<DescribeBoot>;
}

/** A machine whose boot loader the harness plays. */
const HARNESS: CutTarget = { variant: { files: {}, lines: [] }, install: installForHarness };

export interface CutsWish {
  readonly count: number;
  readonly seed: string;
  readonly journal: string;
  /** By default, the seed chooses. */
  readonly mode?: Mode;
  readonly target?: CutTarget;
}

/**
 * Makes `count` cuts and returns them. Each is added to the journal as it happens; a seed continues after its last
 * cut in the journal.
 */
export async function runCuts(lab: Lab, wish: CutsWish): Promise<readonly Cut[]> {
  const target = wish.target ?? HARNESS;
  const first = nextNumber(cutsOf(await readCuts(wish.journal), target.cell), wish.seed);
  await pushUpdate(lab, target, `cut${first - 1}`);
  const describe = await target.install(lab);
  let machine = await boot(describe, "first");
  const cuts: Cut[] = [];
  try {
    for (let number = first; number < first + wish.count; number += 1) {
      const aim = chooseAim(`${wish.seed}-${number}`, wish.mode);
      let round: Round = { lab, target, describe, aim, number, tag: `cut${number}` };
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

async function installForHarness(lab: Lab): Promise<DescribeBoot> {
  const installed = await installDisk(lab, { name: "cuts", tag: "latest", sizeGiB: 10 });
  // The layer that can lose writes is below the disk from the first boot on.
  const disk = { ...installed, losesUnflushed: true };
  return (name) => ({ workDir: lab.dir, name: nextConsole(name), disk });
}

async function boot(describe: DescribeBoot, name: string): Promise<Machine> {
  const machine = await bootMachine(await describe(name));
  process.stderr.write(`${name}: ssh after ${Math.round(machine.bootMs / 1000)} s\n`);
  return machine;
}

function describeCut({ seed, phase, mode, seen, afterMs, booted, verdict, problems }: Cut): string {
  const where = `cut ${seed}: ${phase} (${mode}), ${seen} +${afterMs} ms`;
  return [`${where}: ${booted}, ${verdict}`, ...problems].join("; ");
}

interface Aim {
  readonly seed: string;
  readonly mode: Mode;
  readonly phase: Phase;
  /** The moment within the phase, from 0 to 1. */
  readonly fraction: number;
}

/** How long phases take under emulation, in milliseconds; cuts are spread over this time. */
const SPREAD_MS: Readonly<Record<Phase, number>> = {
  pull: 2000,
  import: 7000,
  stage: 6000,
  finalize: 7000,
  "first-boot": 110_000,
};

export function chooseAim(seed: string, mode?: Mode): Aim {
  const random = randomOf(seed);
  const phase = PHASES[Math.floor(random() * PHASES.length)] ?? "pull";
  const chosen = MODES[Math.floor(random() * MODES.length)] ?? "keeps-writes";
  return { seed, phase, mode: mode ?? chosen, fraction: random() };
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

/** An update that is large enough to interrupt: two layers that hardly compress. */
async function pushUpdate(lab: Lab, { variant }: CutTarget, tag: string): Promise<void> {
  await release(lab, tag, {
    files: { ...variant.files, "etc/follows": `${tag}\n` },
    lines: [
      ...variant.lines,
      `RUN head -c 30000000 /dev/urandom > /usr/share/large-1`,
      "RUN mkdir /usr/share/many && for i in $(seq 1 1500); do echo $i > /usr/share/many/$i; done",
    ],
  });
}

interface Round {
  readonly lab: Lab;
  readonly target: CutTarget;
  readonly describe: DescribeBoot;
  readonly aim: Aim;
  readonly number: number;
  /** The version of the update that is cut. */
  readonly tag: string;
}

/** The same cut in another update, at half the time. */
function sooner(round: Round): Round {
  const { aim, tag } = round;
  return { ...round, aim: { ...aim, fraction: aim.fraction / 2 }, tag: `${tag}-again` };
}

/** A cut, or undefined if the machine was off before the cut; then there is no machine. */
interface CutResult {
  readonly cut: Cut;
  /** The machine booted after the cut; undefined when nothing boots. */
  readonly machine?: Machine;
}

function isTooLate(result: CutResult | "too late"): result is "too late" {
  return result === "too late";
}

async function cutOnce(round: Round, machine: Machine): Promise<CutResult | "too late"> {
  const { lab, target, aim, number, tag } = round;
  await pushUpdate(lab, target, tag);
  const mark = `${aim.seed} ${number}`;
  await machine.must(`echo '${mark}' | tee /etc/cut-mark > /var/cut-mark && sync`);
  const { status } = await statusOf(machine);
  const old = { version: status.booted?.image?.version ?? undefined };
  const { seen, afterMs, boots } = await cutDuring(round, machine);
  if (seen === OFF) return "too late";
  const allowed = { old: [old.version], either: [old.version, tag], new: [tag] }[boots];
  const what = {
    ...{ date: new Date().toISOString(), seed: aim.seed, mode: aim.mode, phase: aim.phase },
    ...{ seen, afterMs },
    ...(target.cell === undefined ? {} : { cell: target.cell }),
  };
  const next = await boot(round.describe, `check-${number}`).catch((error: Error) => error);
  if (next instanceof Error) {
    const problems = [next.message];
    return { cut: { ...what, booted: "none", verdict: "failed", problems } };
  }
  const { problems, version } = await examine(next, { mark, allowed, tag });
  const cut: Cut = {
    ...what,
    booted: version === old.version ? "old" : "new",
    verdict: problems.length === 0 ? "ok" : "failed",
    problems,
  };
  return { cut, machine: next };
}

interface CutMoment {
  readonly seen: string;
  readonly afterMs: number;
  /** The systems that may come up. */
  readonly boots: "old" | "new" | "either";
}

async function cutDuring(round: Round, machine: Machine): Promise<CutMoment> {
  const { phase, fraction } = round.aim;
  const afterMs = Math.round(SPREAD_MS[phase] * fraction);
  switch (phase) {
    case "pull":
    case "import":
    case "stage":
      return await cutUpgrade(round, machine, { step: phase, afterMs });
    case "finalize":
      await stageUpdate(machine);
      return await cutShutdown(round, machine, afterMs);
    case "first-boot": {
      await stageUpdate(machine);
      await machine.reboot();
      return await cutFirstBoot(round, afterMs);
    }
  }
}

async function stageUpdate(machine: Machine): Promise<void> {
  await machine.must("bootc upgrade --quiet");
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
  // A staged update takes effect only at an orderly shutdown.
  return { seen, afterMs, boots: "old" };
}

/** The machine had shut down by itself. */
const OFF = "off";

async function cutShutdown({ aim }: Round, machine: Machine, afterMs: number): Promise<CutMoment> {
  // Not waited for: the answer may never come.
  const asked = machine.run("systemctl reboot", 120_000).catch(() => undefined);
  await Promise.race([passed(afterMs), machine.waitForEnd()]);
  const seen = machine.hasEnded() ? OFF : "shutting down";
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

interface Expectation {
  readonly mark: string;
  readonly allowed: readonly (string | undefined)[];
  readonly tag: string;
}

/** Collects everything that must hold after a cut before judging it. */
async function examine(machine: Machine, want: Expectation) {
  const problems: string[] = [];
  const check = async (what: string, work: () => Promise<boolean>) => {
    const isRight = await work().catch((error: Error) => {
      problems.push(`${what}: ${error.message}`);
      return true;
    });
    if (!isRight) problems.push(what);
  };
  const version = (await statusOf(machine)).status.booted?.image?.version ?? "none";
  await check(`booted is ${version}`, async () => want.allowed.includes(version));
  await check("/etc and /var", async () => {
    const text = await machine.must("cat /etc/cut-mark /var/cut-mark");
    return text.trim() === `${want.mark}\n${want.mark}`;
  });
  await check("/etc follows the image", async () => {
    return (await machine.must("cat /etc/follows")).trim() === version;
  });
  await check("ostree fsck", async () => {
    await machine.must("ostree fsck --quiet");
    return true;
  });
  await check("failed units", async () => {
    return (await machine.must("systemctl --failed --no-legend")) === "";
  });
  await check("the next upgrade", async () => {
    await machine.must("bootc upgrade --quiet");
    const { status } = await statusOf(machine);
    const next = status.staged?.image?.version ?? status.booted?.image?.version;
    return next === want.tag;
  });
  return { problems, version };
}
