// Waits until the units that matter have started or failed, and says what is wrong with them.
import { readFailedUnits, readJobs, readUnits } from "../../programs/units.ts";
import type { Context } from "../../system/context.ts";
import type { Settings } from "../../updates/config/settings.ts";
import type { Surroundings } from "../../updates/machine/surroundings.ts";
import {
  type Fault,
  isOnlyVerdictMissing,
  judgeFailed,
  judgeUnit,
  type UnitState,
} from "../faults.ts";

export interface HealthCheck {
  readonly settings: Settings;
  readonly surroundings: Pick<Surroundings, "now" | "pause">;
  /** When it has to be over. */
  readonly endMs: number;
}

/** What a boot leads to; the unit's real name is in its state. */
const TARGET = "default.target";
const PAUSE_MS = 2000;

export async function readUnitFaults(
  ctx: Context,
  check: HealthCheck,
  alsoFailed: readonly string[],
): Promise<readonly Fault[]> {
  const { settings } = check;
  const names = settings["health.units"];
  const [target, ...units] = await readSettledUnits(ctx, check, [TARGET, ...names]);
  if (target === undefined) return [{ reason: "systemd does not say which units run" }];
  const patterns = [...settings["health.failed_units"], ...alsoFailed];
  const failed = judgeFailed(await readFailedUnits(ctx), patterns);
  const down = [...(await judgeTarget(ctx, target)), ...units.flatMap((it) => judgeUnit(it) ?? [])];
  return [...down, ...failed.filter((it) => !down.some((other) => other.unit === it.unit))];
}

async function readSettledUnits(
  ctx: Context,
  { surroundings, endMs }: HealthCheck,
  names: readonly string[],
): Promise<readonly UnitState[]> {
  let wasOnlyVerdictMissing = false;
  for (;;) {
    const shown = await readUnits(ctx, names);
    // An alias has another unit's name, and people look for the one that they have written.
    const units = shown.map((it, i) => ({ ...it, name: i === 0 ? it.id : (names[i] ?? it.id) }));
    const isSettled = units.every((it) => !it.hasJob && it.active !== "activating");
    if (isSettled) return units;
    const isOnlyMissing = isOnlyVerdictMissing(await readJobs(ctx));
    // Between two jobs, systemd may not have begun the next one yet.
    if (isOnlyMissing && wasOnlyVerdictMissing) return withTargetReached(units);
    wasOnlyVerdictMissing = isOnlyMissing;
    if (surroundings.now() + PAUSE_MS >= endMs) return units;
    await surroundings.pause(PAUSE_MS, ctx.signal);
  }
}

/** The target comes after units that come after the verdict. */
function withTargetReached(units: readonly UnitState[]): readonly UnitState[] {
  return units.map((it, i) =>
    i === 0 && it.hasJob ? { ...it, active: "active", hasJob: false } : it,
  );
}

async function judgeTarget(ctx: Context, target: UnitState): Promise<readonly Fault[]> {
  if (judgeUnit(target) === undefined) return [];
  const jobs = target.hasJob ? await readJobs(ctx) : [];
  const when = target.hasJob ? "was not reached in time" : "was not reached";
  return [
    { reason: `\`${target.name}\` ${when}`, details: jobs.slice(0, 20).map((it) => it.line) },
  ];
}
