// The moments at which the power goes: which are chosen, and how a machine is brought there.
import { readFile } from "node:fs/promises";
import { MODES, type Mode, PHASES, type Phase } from "./cut-journal.ts";
import type { Update } from "./cut-updates.ts";
import { startUpgrade } from "./guest-upgrade.ts";
import { type DescribeBoot, type Machine, startMachine } from "./machine.ts";
import { waitFor } from "./shell.ts";

export interface Aim {
  readonly seed: string;
  readonly mode: Mode;
  readonly phase: Phase;
  /** The moment within the phase, from 0 to 1. */
  readonly fraction: number;
}

/** The plan of one cut. */
export interface CutPlan {
  readonly aim: Aim;
  readonly number: number;
  readonly describe: DescribeBoot;
}

/** By default, the seed chooses. */
export interface AimWish {
  readonly mode?: Mode;
  readonly phase?: Phase;
}

export function chooseAim(seed: string, wish: AimWish = {}): Aim {
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

export interface CutMoment {
  readonly seen: string;
  readonly afterMs: number;
  /** The systems that may come up. */
  readonly boots: "old" | "new" | "either";
  /** What was wrong before the cut. */
  readonly problem?: string;
}

/** How long phases take under emulation, in milliseconds; cuts are spread over this time. */
const SPREAD_MS: Readonly<Record<Exclude<Phase, "first-boot">, number>> = {
  pull: 8000,
  import: 8000,
  stage: 6000,
  finalize: 8000,
};

export async function cutDuring(
  plan: CutPlan,
  machine: Machine,
  update: Update,
): Promise<CutMoment> {
  const { phase, fraction } = plan.aim;
  if (phase === "first-boot") {
    await stageUpdate(machine, update);
    const from = Date.now();
    await machine.reboot();
    process.stderr.write(`the shutdown took ${Date.now() - from} ms\n`);
    return await cutFirstBoot(plan, Math.round(machine.bootMs * fraction));
  }
  const afterMs = Math.round(SPREAD_MS[phase] * fraction);
  if (phase !== "finalize") return await cutUpgrade(plan, machine, { step: phase, afterMs });
  await stageUpdate(machine, update);
  return await cutShutdown(plan, machine, afterMs);
}

async function stageUpdate(machine: Machine, { isStaged }: Update): Promise<void> {
  if (!isStaged) await machine.must("bootc upgrade --quiet");
}

async function cutUpgrade(
  { aim }: CutPlan,
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
const FINALIZING = /Stopping .*ostree-finalize-staged(?!-)/;
/** A unit of a similar name, `-hold`, stops after it. */
const FINALIZED = /Stopped .*ostree-finalize-staged(?!-)/;

async function cutShutdown(
  { aim }: CutPlan,
  machine: Machine,
  afterMs: number,
): Promise<CutMoment> {
  // Not waited for: the answer may never come.
  const asked = machine.run("systemctl reboot", 120_000).catch(() => undefined);
  await waitFor("the update to be finalized", 600_000, async () => {
    const isUnderWay = FINALIZING.test(await readFile(machine.consolePath, "utf8"));
    return isUnderWay || machine.hasEnded() || undefined;
  });
  await Promise.race([passed(afterMs), machine.waitForEnd()]);
  // In this order: the console of a machine that has ended is complete.
  const hasEnded = machine.hasEnded();
  const moment = momentOf(await readFile(machine.consolePath, "utf8"), { hasEnded, afterMs });
  await cutPower(machine, hasEnded ? "keeps-writes" : aim.mode);
  await asked;
  return moment;
}

/** A moment in the shutdown with a staged update, by the console. */
export function momentOf(
  log: string,
  { hasEnded, afterMs }: { readonly hasEnded: boolean; readonly afterMs: number },
): CutMoment {
  // What ostree has finished must not be undone by a cut.
  if (FINALIZED.test(log)) {
    return { seen: hasEnded ? OFF : "shutting down", afterMs, boots: "new" };
  }
  if (!hasEnded) return { seen: "finalizing", afterMs, boots: "either" };
  const problem = FINALIZING.test(log)
    ? "the machine ended while ostree finalized the update"
    : "the machine ended without a word of ostree-finalize-staged";
  return { seen: OFF, afterMs, boots: "either", problem };
}

/** A machine that shuts down faster than any cut comes has not been tested. */
const MAX_TRIES = 3;

/** Whether the cut has to be made again, because the machine had shut down as it should. */
export function isTooLate({ seen, problem }: CutMoment, tries: number): boolean {
  return seen === OFF && problem === undefined && tries < MAX_TRIES;
}

/** Why a cut that is not made again has failed, whatever comes up. */
export function problemsBefore({ seen, problem }: CutMoment): readonly string[] {
  if (problem !== undefined) return [problem];
  return seen === OFF ? [`the machine had shut down before each of ${MAX_TRIES} cuts`] : [];
}

/** The same cut at half the time. */
export function sooner(aim: Aim): Aim {
  return { ...aim, fraction: aim.fraction / 2 };
}

async function cutFirstBoot(plan: CutPlan, afterMs: number): Promise<CutMoment> {
  const { aim, describe } = plan;
  const machine = await startMachine(await describe(`cut-boot-${plan.number}`));
  try {
    await passed(afterMs);
    const seen = await lastSeen(machine);
    await cutPower(machine, aim.mode);
    // The shutdown before this boot was orderly.
    return { seen, afterMs, boots: "new" };
  } finally {
    await machine.cut();
  }
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
