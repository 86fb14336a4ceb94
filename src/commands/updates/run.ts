// `bootc updates run`: what the timer starts. Takes each step of an update that is due and allowed.
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { postponeRemoval } from "../../deploy/shutdown/postpone-removal.ts";
import { readAheadOfShutdown } from "../../deploy/shutdown/read-ahead.ts";
import { hasSuperseded } from "../../deploy/shutdown/superseded.ts";
import { explainError, kindOf } from "../../errors.ts";
import { warnUsers } from "../../programs/logind.ts";
import { readSystemState, reboot } from "../../programs/systemd.ts";
import type { Context } from "../../system/context.ts";
import { judgeStep, type Situation } from "../../updates/decide.ts";
import { changeState, withRunLock } from "../../updates/machine/change-state.ts";
import { checkForUpdate, describeFound, rememberFailure } from "../../updates/machine/check.ts";
import { type Refusal, returnSlot, takeSlot } from "../../updates/machine/fleet-lock.ts";
import { judgeDueStep, warnedMsOf } from "../../updates/machine/judge.ts";
import { rememberRun } from "../../updates/machine/last-run.ts";
import { readSituation } from "../../updates/machine/situation.ts";
import { REAL_SURROUNDINGS, type Surroundings } from "../../updates/machine/surroundings.ts";
import { updateMotd } from "../../updates/machine/tell.ts";
import {
  type Block,
  type FleetRequest,
  type UpdateStep,
  type UpdatesState,
  withEvent,
  withFetched,
  withFleetRequest,
  withRunning,
} from "../../updates/state.ts";
import { assembleStatus, formatMoment } from "../../updates/status.ts";

export async function updatesRun(ctx: Context): Promise<void> {
  await runUpdates(ctx, REAL_SURROUNDINGS);
}

export async function runUpdates(ctx: Context, surroundings: Surroundings): Promise<void> {
  await prepareForWrite(ctx);
  await withRunLock(ctx, async () => {
    const startedMs = surroundings.now();
    try {
      await runAlone(ctx, surroundings);
    } finally {
      rememberRun(ctx, { startedMs, endedMs: surroundings.now() });
    }
  }).catch(async (error: unknown) => {
    await showFailure(ctx, surroundings);
    throw error;
  });
}

async function runAlone(ctx: Context, surroundings: Surroundings): Promise<void> {
  await cleanUp(ctx);
  const situation = await readSituation(ctx, surroundings.now());
  await noteBoot(ctx, situation);
  // A registry that is away must not keep a slot from the other machines.
  await giveSlotBack(ctx, surroundings, situation);
  const block = judgeStep(situation, "check");
  if (block === undefined) await checkForUpdate(ctx, surroundings.now());
  await takeSteps(ctx, surroundings);
}

/** Removes what the last update has superseded. Nothing else of a run waits for that, or depends on it. */
async function cleanUp(ctx: Context): Promise<void> {
  try {
    if (!(await hasSuperseded(ctx))) return;
    const lock = { purpose: "cleaning up", timeoutMs: 10_000, removesSuperseded: true };
    await withHostLock(ctx, lock, async () => {});
  } catch (error) {
    ctx.signal.throwIfAborted();
    ctx.note(`note: no clean-up after the last update: ${explainError(error)}`);
  }
}

/** Those who log in learn of the failure, too. */
async function showFailure(ctx: Context, { now }: Surroundings): Promise<void> {
  if (ctx.signal.aborted) return;
  const situation = await readSituation(ctx, now());
  await updateMotd(ctx, assembleStatus(situation, situation.state.block));
}

/** Remembers that another image runs than at the last run. */
async function noteBoot(ctx: Context, { host, state, nowMs }: Situation): Promise<void> {
  const { booted } = host;
  if (booted === undefined || booted.digest === state.running) return;
  await changeState(ctx, nowMs, (it) => {
    const after = withRunning(it, { digest: booted.digest, nowMs });
    if (it.running === undefined) return after;
    return withEvent(after, { atMs: nowMs, event: "booted", text: describeFound(booted) });
  });
}

/** Gives back the slot that this machine took before a reboot, once the system has come up. */
async function giveSlotBack(
  ctx: Context,
  surroundings: Surroundings,
  { settings, state, machineId, host }: Situation,
): Promise<void> {
  const { now } = surroundings;
  if (state.lockedMs === undefined || settings["updates.fleet_lock.base_url"] === undefined) return;
  // The reboot is still to come.
  if (host.staged !== undefined && !host.staged.isLocked) return;
  const system = await readSystemState(ctx);
  if (system !== "running" && system !== "degraded") {
    return ctx.say(`The slot of the FleetLock server is kept: the system is ${system}.`);
  }
  const refusal = await askFleet(ctx, now, "steady-state", () =>
    returnSlot(ctx, { settings, machineId, surroundings }),
  );
  if (refusal !== undefined) return ctx.note(`warning: the slot is not given back: ${refusal}`);
  await changeState(ctx, now(), (it) => {
    const after = { ...withFleetRequest(it, "steady-state"), lockedMs: undefined };
    return withEvent(after, { atMs: now(), event: "steady", text: system });
  });
}

/** The reason of a refusal. A yes is counted together with what the caller remembers of it. */
async function askFleet(
  ctx: Context,
  now: () => number,
  request: FleetRequest,
  ask: () => Promise<Refusal | undefined>,
): Promise<string | undefined> {
  const refusal = await ask().catch(async (error: unknown) => {
    const count = (it: UpdatesState) => withFleetRequest(it, request, kindOf(error));
    await rememberFailure(ctx, { nowMs: now(), error, count });
    throw error;
  });
  if (refusal === undefined) return undefined;
  await changeState(ctx, now(), (it) => withFleetRequest(it, request, refusal.kind));
  return refusal.reason;
}

/** How long the answers of gates count: on a slow disk, reading ahead takes minutes. */
const ANSWER_LASTS_MS = 10_000;

/** Between steps, everything is read anew: a person may have paused, or a window closed. */
async function takeSteps(ctx: Context, surroundings: Surroundings): Promise<void> {
  const taken = new Set<UpdateStep>();
  let isReadAhead = false;
  for (;;) {
    const situation = await readSituation(ctx, surroundings.now());
    const { step, block } = await judgeDueStep(ctx, situation);
    await rememberBlock(ctx, situation, block);
    if (step === undefined && block === undefined) return ctx.say("Nothing to do.");
    if (block !== undefined) return ctx.say(describeBlock(block));
    if (step === undefined || step === "check") return;
    if (step === "reboot" && !isReadAhead) {
      isReadAhead = true;
      await readAheadOfShutdown(ctx);
      if (surroundings.now() - situation.nowMs > ANSWER_LASTS_MS) continue;
    }
    // The tag has moved meanwhile; the next check knows what it names now.
    if (taken.has(step)) return ctx.say("The image has changed meanwhile; the next run goes on.");
    taken.add(step);
    const refusal = step === "reboot" ? await lockFleet(ctx, surroundings, situation) : undefined;
    if (refusal !== undefined) {
      await rememberBlock(ctx, situation, refusal);
      return ctx.say(describeBlock(refusal));
    }
    // As late as possible: until the reboot, a person sees this pin.
    if (step === "reboot") await postponeRemoval(ctx);
    await takeStep(ctx, surroundings, { situation, step });
    if (step === "reboot") return;
  }
}

/** The last rule: the server has a slot for this machine. Asked anew each time, for it may be lost. */
async function lockFleet(
  ctx: Context,
  surroundings: Surroundings,
  { settings, machineId }: Situation,
): Promise<Block | undefined> {
  if (settings["updates.strategy"] !== "fleet_lock") return undefined;
  const { now } = surroundings;
  const refusal = await askFleet(ctx, now, "pre-reboot", () =>
    takeSlot(ctx, { settings, machineId, surroundings }),
  );
  if (refusal !== undefined) return { step: "reboot", rule: "fleet_lock", reason: refusal };
  await changeState(ctx, now(), (it) => ({
    ...withFleetRequest(it, "pre-reboot"),
    lockedMs: it.lockedMs ?? now(),
  }));
  // Another question may have waited for minutes; the window may be closed by now.
  return judgeStep(await readSituation(ctx, now()), "reboot");
}

async function takeStep(
  ctx: Context,
  { now }: Surroundings,
  {
    situation,
    step,
  }: { readonly situation: Situation; readonly step: Exclude<UpdateStep, "check"> },
): Promise<void> {
  const subject = step === "reboot" ? situation.host.staged : situation.state.found;
  const text = subject === undefined ? "" : describeFound(subject);
  // A reboot has to be remembered before it, because there is no after.
  if (step === "reboot") {
    await changeState(ctx, now(), (it) => withEvent(it, { atMs: now(), event: "reboot", text }));
    return await reboot(ctx);
  }
  // Loaded only now: nearly every run finds nothing, and should cost little.
  const { upgrade } = await import("../upgrade.ts");
  const how = step === "download" ? { downloadOnly: true } : { fromDownloaded: true };
  let fetchedBytes = 0;
  const onPulled = (bytes: number) => {
    fetchedBytes += bytes;
  };
  await upgrade(ctx, { ...how, quiet: true }, onPulled).catch(async (error: unknown) => {
    await rememberFailure(ctx, { nowMs: now(), error });
    throw error;
  });
  await changeState(ctx, now(), (it) =>
    withFetched(withEvent(it, { atMs: now(), event: step, text }), fetchedBytes),
  );
}

/** Also warns people, the first time that only their sessions are in the way. */
async function rememberBlock(
  ctx: Context,
  situation: Situation,
  block: Block | undefined,
): Promise<void> {
  const { state, host, nowMs } = situation;
  await updateMotd(ctx, assembleStatus(situation, block));
  const digest = host.staged?.digest;
  const isNews = block?.rule === "sessions" && warnedMsOf(situation) === undefined;
  const warning = isNews && digest !== undefined ? { digest, atMs: nowMs } : undefined;
  if (warning !== undefined && block !== undefined) await warn(ctx, block);
  if (warning === undefined && JSON.stringify(block) === JSON.stringify(state.block)) return;
  await changeState(ctx, nowMs, (it) => ({ ...it, block, warning: warning ?? it.warning }));
}

async function warn(ctx: Context, { untilMs }: Block): Promise<void> {
  const when = untilMs === undefined ? "soon" : `at ${formatMoment(untilMs)} or later`;
  const message = `This machine reboots into an update ${when}. Please save your work and log out.`;
  await warnUsers(ctx, message).catch((error: Error) =>
    ctx.note(`note: users cannot be warned: ${error.message}`),
  );
}

function describeBlock({ step, rule, reason, untilMs }: Block): string {
  const until = untilMs === undefined ? "" : ` (until ${formatMoment(untilMs)})`;
  return `Not now: ${step}: ${rule}: ${reason}${until}`;
}
